"""Checks of a config and its files before anything is built or trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS

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
        for dataset in leaf_datasets((cfg.get(name) or {}).get("dataset") or {}):
            root = Path(dataset.get("data_root") or "")
            for path in (*(dataset.get("data_prefix") or {}).values(), dataset.get("ann_file")):
                if path and not (root / path).exists():
                    raise FileNotFoundError(
                        f"{name} needs {root / path}, which does not exist. {cfg.get('data_help', '')}".rstrip()
                        + " If it is elsewhere, give its root with --data-root."
                    )


def leaf_datasets(dataset: ConfigDict) -> Iterator[ConfigDict]:
    """The datasets inside the toolbox's wrappers, such as ConcatDataset and RepeatDataset, or the dataset itself."""
    inner = dataset.get("datasets") or ([dataset["dataset"]] if "dataset" in dataset else [])
    for part in inner:
        yield from leaf_datasets(part)
    if not inner:
        yield dataset


def build_on_meta(cfg: Config) -> EncoderDecoder:
    """Build the model of a config without its weights, which takes neither memory nor time.

    Raises:
        ValueError: for settings that do not fit each other, or a component that is not registered.
    """
    init_default_scope(cfg.get("default_scope") or "mmseg")
    try:
        with torch.device("meta"):
            return MODELS.build(cfg.model)
    except (ValueError, TypeError, KeyError) as error:
        reason = str(error.args[0] if error.args else error).split("\n")[0]
        raise ValueError(f"the model of {Path(cfg.filename or 'the config').name} cannot be built: {reason}") from error


def check_model(cfg: Config) -> EncoderDecoder | None:
    """Check that the model of a config can be built.

    Returns:
        EncoderDecoder | None: the model without weights; None if its backbone computes with them when it is built.

    Raises:
        ValueError: as :func:`build_on_meta`.
    """
    try:
        return build_on_meta(cfg)
    except (NotImplementedError, RuntimeError):
        return None


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
            for dataset in leaf_datasets(cfg[name].dataset):
                dataset.data_root = data_root
