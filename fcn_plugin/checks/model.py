"""That the model of a config can be built, and its parts fit each other."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.models.backbones import TIMMBackbone
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.losses.utils import get_class_weight
from mmseg.registry import MODELS
from torch import nn

from ..geometry import FeatureMap, UnknownGeometryError, read_feature_maps, recorded_maps
from ..models.decode_heads import FCNSkipHead
from ..models.heads import check_stretched, heads_of
from ..models.losses.class_weight import check_class_weight
from ..models.segmentors.aligned_encoder_decoder import AlignedEncoderDecoder
from ..utils.building import BUILD_ERRORS, explain, not_whole
from ..utils.config import require
from ..utils.text import first_line

WEIGHT_FILES = (".npy", ".json", ".yaml", ".yml")  #: formats of class weights that hold no code


def check_model(cfg: Config) -> nn.Module:
    """Check that the model of a config can be built, and that its heads fit the maps of its feature extractor.

    Returns:
        nn.Module: the model, without the values of its weights where it can be built so; nothing is downloaded.

    Raises:
        ValueError: for settings that do not fit each other, or a component that is not registered.
    """
    require(cfg, "model")
    for part in ("decode_head", "auxiliary_head"):
        heads = cfg.model.get(part) or []
        for head in [heads] if isinstance(heads, dict) else heads:
            for text in not_whole(head, f"model.{part}", 1, "num_classes", "out_channels", "channels"):
                raise ValueError(text)
    try:
        check_weight_files(cfg.model, "model")
        with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"):
            model = build_without_values(cfg.model)
        check_heads(getattr(model, "module", model))  # wrapped for test-time augmentation
    except BUILD_ERRORS as error:
        name = Path(cfg.filename or "the config").name
        raise ValueError(f"the model of {name} cannot be built: {explain(error, cfg.model, 'model')}") from error
    return model


def without_download(cfg: dict) -> dict:
    """A copy of a model's settings from which no weights are downloaded when it is built."""
    cfg = copy.deepcopy(cfg)
    for part in (cfg, cfg.get("backbone") or {}, (cfg.get("module") or {}).get("backbone") or {}):
        kind = part.get("type")
        if (MODELS.get(kind) if isinstance(kind, str) else kind) is TIMMBackbone:
            part["pretrained"] = False
    return cfg


def build_without_values(cfg: dict) -> nn.Module:
    """Build a model to look at: on torch's ``meta`` device, or, if its constructor computes something, on the CPU."""
    cfg = without_download(cfg)
    try:
        with torch.device("meta"):
            return MODELS.build(cfg)
    except (RuntimeError, NotImplementedError, TypeError):  # as of code that asks for values
        return MODELS.build(cfg)


def check_weight_files(settings: object, where: str) -> None:
    """Check the files that losses are to read the weights of classes from: the toolbox would run a pickle.

    Args:
        settings (object): of a model, or of a part of it.
        where (str): its name.

    Raises:
        ValueError: naming the setting and the file, if it cannot be read.
    """
    parts = settings.items() if isinstance(settings, Mapping) else enumerate(settings)
    for key, value in parts:
        name = f"{where}.{key}"
        if key == "class_weight" and isinstance(value, str):
            if not value.endswith(WEIGHT_FILES):
                raise ValueError(f"{name}={value!r} is no file of weights: give a list, or a {', '.join(WEIGHT_FILES)}")
            try:
                get_class_weight(value)
            except FileNotFoundError as error:
                raise ValueError(f"{name}={value!r}: there is no such file") from error
            except Exception as error:  # whatever a reader makes of a broken file
                raise ValueError(f"{name}={value!r} cannot be read: {first_line(error)}") from error
        elif isinstance(value, (Mapping, list, tuple)):
            check_weight_files(value, name)


def check_heads(model: nn.Module) -> None:
    """Check the heads of a built segmentor, auxiliary ones as well, against the maps it extracts.

    An :class:`AlignedEncoderDecoder` has checked its skip heads itself.

    Raises:
        ValueError: naming the head, what it was built for, what the feature extractor gives, and what to set.
    """
    backbone, neck = getattr(model, "backbone", None), getattr(model, "neck", None)
    heads = heads_of(model)
    if backbone is None or not heads:
        return
    aligned = isinstance(model, AlignedEncoderDecoder)
    maps = model.feature_maps if aligned else _maps(backbone, neck)
    for name, head in heads.items():
        try:
            if isinstance(head, FCNSkipHead):
                if not aligned:
                    _check_skip_head(head, backbone, maps)
                continue
            if isinstance(head, BaseDecodeHead) and hasattr(head, "in_index"):  # K-Net's holds others
                _check_channels(head, maps)
                check_class_weight(head)
            check_stretched(head, backbone, neck, maps)
        except ValueError as error:
            raise ValueError(str(error) if name == "decode_head" else f"{name}: {error}") from error


def _maps(backbone: nn.Module, neck: nn.Module | None) -> Sequence[FeatureMap]:
    """What is known of the maps: nothing of some settings, which heads of the toolbox do not mind."""
    try:
        return read_feature_maps(backbone, neck)
    except UnknownGeometryError:
        return ()


def _check_skip_head(head: FCNSkipHead, backbone: nn.Module, maps: Sequence[FeatureMap]) -> None:
    if not recorded_maps(backbone):
        raise ValueError(
            f"{type(head).__name__} needs the positions of its maps, which {type(backbone).__name__} does not tell:"
            " set model.type='AlignedEncoderDecoder'"
        )
    used = [maps[i] for i in head.in_index if -len(maps) <= i < len(maps)]
    if (found := tuple(one.coord_map for one in used)) != head.feature_maps:
        raise ValueError(head.misfit(found))
    if (channels := [one.channels for one in used]) != list(head.in_channels):
        raise ValueError(
            f"{type(head).__name__} was built for maps of {list(head.in_channels)} channels, but the feature"
            f" extractor gives {channels}: set model.decode_head.in_channels={channels}"
        )


def _check_channels(head: BaseDecodeHead, maps: Sequence[FeatureMap]) -> None:
    """Check which maps a head of the toolbox takes, and their channels; without maps, they are not known."""
    indices = head.in_index if isinstance(head.in_index, (list, tuple)) else [head.in_index]
    if not maps or not all(isinstance(i, int) for i in indices):
        return
    listed = ", ".join(f"{i}: {one}" for i, one in enumerate(maps))
    if any(not -len(maps) <= i < len(maps) for i in indices):
        raise ValueError(
            f"in_index={head.in_index} reaches beyond the {len(maps)} maps of the feature extractor ({listed})"
        )
    channels: int | list[int] = [maps[i].channels for i in indices]
    if head.input_transform == "resize_concat":
        channels = sum(channels)
    elif head.input_transform is None:
        (channels,) = channels
    given = head.in_channels if isinstance(head.in_channels, int) else list(head.in_channels)
    if given != channels:
        raise ValueError(
            f"{type(head).__name__} has in_channels={given} and in_index={head.in_index}, but the feature extractor"
            f" gives {listed}: set in_channels={channels}, or in_index to other maps"
        )
