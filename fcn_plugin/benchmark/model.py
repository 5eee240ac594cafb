"""A config's network and optimizer as they are measured: with random weights, and any number of channels."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from mmengine.config import Config, ConfigDict
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import nn

from ..geometry.backbones import component_class
from ..models.decode_heads.fcn_skip_head import FCNSkipHead

#: Wrappers of the optimizer by number format.
WRAPPERS = {"fp32": "OptimWrapper", "bf16": "BF16OptimWrapper"}


def network_config(model: Mapping, width: float = 1.0) -> ConfigDict:
    """The config of a network without pretrained weights, with all of its channels times ``width``.

    Raises:
        ValueError: for another width than 1, if the backbone or the head is not of this package.
    """
    model = ConfigDict(copy.deepcopy(dict(model)))
    backbone, neck, head = model.get("backbone"), model.get("neck"), model.get("decode_head")
    for part in (backbone, neck):
        if part:
            part.init_cfg = None
    if width == 1:
        return model
    head_class = component_class(head["type"]) if isinstance(head, Mapping) else None
    if not hasattr(component_class(backbone["type"]), "coord_maps") or not issubclass(head_class or dict, FCNSkipHead):
        raise ValueError(
            "the width can be set of FCNVGG, CaffeNet and GoogLeNet under a skip head, got"
            f" {backbone['type']}: leave out --width"
        )
    backbone.width = width * backbone.get("width", 1)
    with torch.device("meta"):
        channels = list(MODELS.build(backbone).out_channels)
    if neck:
        neck.in_channels = channels[-1]
        neck.channels = channels[-1] = max(1, round(neck.channels * width))
    used = FCNSkipHead.used_maps(head["in_channels"], head.get("in_index"))
    head.in_channels = [channels[i] for i in used]
    return model


def build_model(cfg: Config, width: float = 1.0) -> EncoderDecoder:
    """Build a config's network on the CPU."""
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"):
        return MODELS.build(network_config(cfg.model, width))


def randomise(model: nn.Module, seed: int) -> None:
    """Give convolutions random weights that keep the signal's scale; time does not depend on their values."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.normal_(module.bias, std=0.1)


def optim_wrapper_config(cfg: Config, dtype: str) -> ConfigDict:
    """The config's own optimizer, stepping after every batch, in a number format.

    Raises:
        ValueError: if there is none, or one that is bound to another format.
    """
    wrapper = copy.deepcopy(cfg.get("optim_wrapper"))
    if not wrapper:
        raise ValueError(f"{cfg.filename} has no optim_wrapper to train with: give the config of an experiment")
    kind = wrapper.setdefault("type", "OptimWrapper")
    if kind not in WRAPPERS.values():
        raise ValueError(f"the benchmark works with optim_wrapper.type={' or '.join(WRAPPERS.values())}, got {kind!r}")
    wrapper.update(type=WRAPPERS[dtype], accumulative_counts=1)
    return wrapper


def build_optimizer(cfg: Config, model: nn.Module, dtype: str) -> OptimWrapper:
    """Build :func:`optim_wrapper_config` for a model."""
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"):
        return build_optim_wrapper(model, optim_wrapper_config(cfg, dtype))
