"""That the model of a config can be built, and its parts fit each other."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.models.backbones import TIMMBackbone
from mmseg.registry import MODELS
from torch import nn

from ..geometry import read_feature_maps
from ..models.decode_heads import FCNSkipHead
from ..models.segmentors.aligned_encoder_decoder import AlignedEncoderDecoder, check_stretched


def check_model(cfg: Config) -> nn.Module:
    """Check that the model of a config can be built, and that its heads fit the maps of its feature extractor.

    Returns:
        nn.Module: the model, without the values of its weights where it can be built so; nothing is downloaded.

    Raises:
        ValueError: for settings that do not fit each other, or a component that is not registered.
    """
    try:
        with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"):
            model = build_without_values(cfg.model)
        check_heads(getattr(model, "module", model))  # wrapped for test-time augmentation
    except (ValueError, TypeError, KeyError, AssertionError) as error:
        reason = str(error.args[0] if error.args else error).split("\n")[0]
        raise ValueError(f"the model of {Path(cfg.filename or 'the config').name} cannot be built: {reason}") from error
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


def check_heads(model: nn.Module) -> None:
    """Check the heads of a built segmentor against the maps it extracts.

    An :class:`AlignedEncoderDecoder` has done so itself.

    Raises:
        ValueError: naming what a head was built for, what the feature extractor gives, and what to set.
    """
    head, backbone = getattr(model, "decode_head", None), getattr(model, "backbone", None)
    if isinstance(model, AlignedEncoderDecoder) or backbone is None or isinstance(head, nn.ModuleList):
        return  # the last is a cascade of the toolbox
    if not isinstance(head, FCNSkipHead):
        if hasattr(backbone, "feature_maps"):
            check_stretched(head, read_feature_maps(backbone, getattr(model, "neck", None)))
        return
    if not hasattr(backbone, "feature_maps"):
        raise ValueError(
            f"{type(head).__name__} needs the positions of its maps, which {type(backbone).__name__} does not tell:"
            " set model.type='AlignedEncoderDecoder'"
        )
    maps = read_feature_maps(backbone, getattr(model, "neck", None))
    used = [maps[i] for i in head.in_index if -len(maps) <= i < len(maps)]
    if (found := tuple(one.coord_map for one in used)) != head.feature_maps:
        raise ValueError(head.misfit(found))
    if (channels := [one.channels for one in used]) != list(head.in_channels):
        raise ValueError(
            f"{type(head).__name__} was built for maps of {list(head.in_channels)} channels, but the feature"
            f" extractor gives {channels}: set model.decode_head.in_channels={channels}"
        )
