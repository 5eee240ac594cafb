"""Checks of a config and its files before anything is built or trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.models.segmentors import EncoderDecoder

from ..geometry.backbones import component_class
from ..geometry.trunk import build_without_values
from ..models.decode_heads.fcn_skip_head import FCNSkipHead
from ..models.segmentors.aligned_encoder_decoder import AlignedEncoderDecoder
from ..models.segmentors.checks import check_maps, check_positions


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
