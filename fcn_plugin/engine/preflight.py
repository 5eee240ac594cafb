"""Checks of a config and its files before anything is built or trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

DATALOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def read_config(path: str) -> Config:
    """Read a config file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not valid Python.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no config {path}")
    try:
        return Config.fromfile(path)
    except SyntaxError as error:
        raise ValueError(f"the config {path} is not valid Python: {error}") from error


def check_data(cfg: Config, dataloaders: Sequence[str] = DATALOADERS) -> None:
    """Check that the directories and lists of the datasets exist.

    Raises:
        FileNotFoundError: naming the path and the command that makes it (``data_help`` of the config).
    """
    for name in dataloaders:
        dataset = (cfg.get(name) or {}).get("dataset") or {}
        root = Path(dataset.get("data_root") or "")
        for path in (*(dataset.get("data_prefix") or {}).values(), dataset.get("ann_file")):
            if path and not (root / path).exists():
                raise FileNotFoundError(
                    f"{name} needs {root / path}, which does not exist. {cfg.get('data_help', '')}".rstrip()
                    + " If it is elsewhere, give its root with --data-root."
                )


def set_data_root(cfg: Config, data_root: str) -> None:
    """Read the data of all dataloaders from another root."""
    for name in DATALOADERS:
        if cfg.get(name):
            cfg[name].dataset.data_root = data_root
