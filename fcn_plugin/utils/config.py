"""Reading configs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mmengine.config import Config, ConfigDict

DATALOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def read_config(path: str, options: Mapping | None = None, data_root: str | None = None) -> Config:
    """Read a config file.

    Args:
        path (str): of the file.
        options (Mapping, optional): settings to override, as from ``--cfg-options``.
        data_root (str, optional): root of the data of all dataloaders, in place of the config's.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not valid Python, or imports a package that is not installed.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no config {path}")
    try:
        cfg = Config.fromfile(path)
    except SyntaxError as error:
        raise ValueError(f"the config {path} is not valid Python: {error}") from error
    except ImportError as error:
        cause = error.__cause__ or error
        raise ValueError(f"the config {path} imports what is not installed ({cause}): install it") from error
    cfg.merge_from_dict(options or {})
    if data_root:
        set_data_root(cfg, data_root)
    return cfg


def leaf_datasets(dataset: ConfigDict) -> Iterator[ConfigDict]:
    """The datasets inside the toolbox's wrappers, such as ConcatDataset and RepeatDataset, or the dataset itself."""
    inner = dataset.get("datasets") or ([dataset["dataset"]] if "dataset" in dataset else [])
    for part in inner:
        yield from leaf_datasets(part)
    if not inner:
        yield dataset


def set_data_root(cfg: Config, data_root: str) -> None:
    """Read the data of all dataloaders from another root."""
    for name in DATALOADERS:
        if cfg.get(name):
            for dataset in leaf_datasets(cfg[name].dataset):
                dataset.data_root = data_root
