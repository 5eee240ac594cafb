"""Directories with names, as they are given on a command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def named_directories(arguments: Sequence[str]) -> dict[str, Path]:
    """Read ``NAME=DIR`` or ``DIR``, which is named like the directory.

    Returns:
        dict[str, Path]: by name, in order.

    Raises:
        FileNotFoundError: if there is no such directory.
        ValueError: if two have the same name, or a name is empty or cannot be part of a file name.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        name, separator, path = argument.partition("=")
        if not separator or Path(argument).is_dir():
            name, path = Path(argument).resolve().name, argument
        if not name or "/" in name or "\\" in name:
            raise ValueError(f"{argument}: {name!r} is no name that files can have, expected NAME=DIRECTORY")
        if not Path(path).is_dir():
            raise FileNotFoundError(f"there is no directory {path}")
        if name in found:
            raise ValueError(f"{found[name]} and {path} are both named {name}: give other names, as in NAME={path}")
        found[name] = Path(path)
    return found
