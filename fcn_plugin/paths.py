"""Where the configs and tools of this installation are."""

from __future__ import annotations

from pathlib import Path


def _shipped(name: str, place: str) -> Path:
    package = Path(__file__).parent
    in_package = package / ".mim" / place  # files in an installed wheel, a link in a checkout
    return in_package if in_package.is_dir() and not in_package.is_symlink() else package.parent / name


def config_dir() -> Path:
    """Directory of the configs: in the installed package (``fcn_plugin/.mim/configs/fcn``) or in the checkout."""
    return _shipped("configs", "configs/fcn")


def tools_dir() -> Path:
    """Directory of the command line tools, likewise."""
    return _shipped("tools", "tools")
