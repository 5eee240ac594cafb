"""Checks of a config and its files before anything is built or trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmseg.models.segmentors import EncoderDecoder

from ..backbone_geometry import component_class
from ..decode_heads.fcn_skip_head import FCNSkipHead
from ..segmentors.aligned_encoder_decoder import AlignedEncoderDecoder
from ..segmentors.checks import check_maps, check_positions
from ..trunk import build_without_values

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


def check_model(cfg: Config) -> EncoderDecoder:
    """Check that the model of a config can be built.

    Returns:
        EncoderDecoder: the model, without the values of its weights where it can be built so.

    Raises:
        ValueError: for settings that do not fit each other, or a component that is not registered.
    """
    try:
        with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"):
            return build_without_values(cfg.model)
    except (ValueError, TypeError, KeyError) as error:
        reason = str(error.args[0] if error.args else error).split("\n")[0]
        raise ValueError(f"the model of {Path(cfg.filename or 'the config').name} cannot be built: {reason}") from error


def check_geometry(cfg: Config) -> None:
    """Check that the model can be built, and that its heads fit the maps of the trunk in channels and positions.

    Raises:
        ValueError: naming what a head was told, what the trunk gives, and what to set.
    """
    built, head = check_model(cfg), cfg.model.get("decode_head")
    if isinstance(built, AlignedEncoderDecoder) or not isinstance(head, Mapping):
        return  # it has checked itself, or is a cascade of the toolbox
    if issubclass(component_class(head["type"]), FCNSkipHead):
        check_maps(built, adds_positions=False)
    check_positions(head, cfg.model.backbone, cfg.model.get("neck"))


def set_data_root(cfg: Config, data_root: str) -> None:
    """Read the data of all dataloaders from another root."""
    for name in DATALOADERS:
        if cfg.get(name):
            for dataset in leaf_datasets(cfg[name].dataset):
                dataset.data_root = data_root
