"""Checks of a config and its files before anything is built or trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from ..decode_heads.fcn_skip_head import FCNSkipHead, component_class

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


def check_geometry(cfg: Config) -> None:
    """Check that the skip head is told of the trunk that the model has, where the trunk's geometry is known.

    Raises:
        ValueError: naming the positions of the feature maps, as told and as they are.
    """
    backbone, neck, head = (cfg.model.get(part) for part in ("backbone", "neck", "decode_head"))
    head_class = component_class(head["type"])
    trunk = [component_class(part["type"]) for part in (backbone, neck) if part]
    if not (head_class and issubclass(head_class, FCNSkipHead) and all(hasattr(part, "coord_maps") for part in trunk)):
        return
    in_index = head.get("in_index") or range(-len(head.in_channels), 0)
    told = head_class.maps_of(head.get("geometry"), in_index)
    actual = head_class.maps_of(dict(backbone=backbone, neck=neck), in_index)
    if told != actual:
        raise ValueError(
            f"decode_head.geometry says that the feature maps lie at {', '.join(map(str, told))}, but those of the"
            f" model lie at {', '.join(map(str, actual))}: give model.decode_head.geometry the settings of"
            " model.backbone and model.neck"
        )


def set_data_root(cfg: Config, data_root: str) -> None:
    """Read the data of all dataloaders from another root."""
    for name in DATALOADERS:
        if cfg.get(name):
            cfg[name].dataset.data_root = data_root
