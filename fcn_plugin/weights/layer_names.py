"""Canonical names: the reference's layer names under the toolbox's ``backbone``, ``neck`` and ``decode_head``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from torch import Tensor

from ..utils.text import summarize
from .checkpoint import WeightsError

#: Convolutions of GoogLeNet; the slash of the reference is a dot inside an inception module, an underscore elsewhere.
GOOGLENET = r"conv1_7x7_s2|conv2_3x3(_reduce)?|inception_(3[ab]|4[a-e]|5[ab])\.(1x1|(3x3|5x5)(_reduce)?|pool_proj)"
#: Layer names of the reference by the part of the segmentor that has them. fc8 scores a classifier's 1000 classes and
#: belongs to no part.
PARTS = {
    "backbone": re.compile(rf"(conv|bn)\d(_\d)?|{GOOGLENET}"),
    "neck": re.compile(r"fc[67]"),
    "decode_head": re.compile(r"score_(fr|pool\d)|upscore\d*|upscore_pool\d"),
    "": re.compile(r"fc8"),
}


def part_of(layer: str) -> str | None:
    """The part of the segmentor that a layer of the reference belongs to; None for an unknown layer."""
    return next((part for part, pattern in PARTS.items() if pattern.fullmatch(layer)), None)


def is_reference_name(key: str) -> bool:
    """Whether a key is a reference layer and a parameter, such as ``conv1_1.weight``."""
    layer, _, parameter = key.rpartition(".")
    return bool(parameter) and part_of(layer) is not None


def is_canonical(key: str) -> bool:
    """Whether a key is a canonical name, such as ``backbone.conv1_1.weight``."""
    part, _, rest = key.partition(".")
    return (part in PARTS and is_reference_name(rest)) or bool(re.fullmatch(r"fc8\.(weight|bias)", key))


def canonical(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give weights under the reference's layer names their canonical names; linear layers become convolutions.

    A linear layer's weight (out, in * k * k) over a flattened (C, H, W) map becomes (out, in, k, k).

    Raises:
        WeightsError: for layers that the reference networks do not have, or a linear layer of another input.
    """
    unknown = [key for key in tensors if not is_reference_name(key)]
    if unknown:
        raise WeightsError(
            f"the layers {summarize(sorted({key.rpartition('.')[0] or key for key in unknown}))} are not those of VGG,"
            " CaffeNet, GoogLeNet or an FCN on them"
        )
    renamed = {}
    for key, tensor in tensors.items():
        layer = key.rpartition(".")[0]
        if layer in ("fc6", "fc7", "fc8") and tensor.ndim == 2:
            channels = last_channels(tensors) if layer == "fc6" else None
            tensor = as_convolution(key, tensor, channels or tensor.shape[1])
        part = part_of(layer)
        renamed[f"{part}.{key}" if part else key] = tensor
    return renamed


def as_convolution(name: str, weight: Tensor, channels: int, channels_last: bool = False) -> Tensor:
    """Make a linear layer over a flattened map a convolution.

    Args:
        name (str): what to call the layer in the error.
        weight (Tensor): (out, channels * k * k).
        channels (int): of the map.
        channels_last (bool): whether the map was flattened as (k, k, channels), not as (channels, k, k).

    Returns:
        Tensor: (out, channels, k, k).

    Raises:
        WeightsError: if the map would not be square.
    """
    side = math.isqrt(weight.shape[1] // channels)
    if channels * side * side != weight.shape[1]:
        raise WeightsError(f"{name} takes {weight.shape[1]} inputs, which is no square map of {channels} channels")
    if channels_last:
        return weight.reshape(len(weight), side, side, channels).permute(0, 3, 1, 2).contiguous()
    return weight.reshape(len(weight), channels, side, side)


def last_channels(tensors: Mapping[str, Tensor]) -> int | None:
    """Output channels of the last convolution, None if there is none."""
    convs = sorted(key for key, tensor in tensors.items() if key.startswith("conv") and tensor.ndim == 4)
    return len(tensors[convs[-1]]) if convs else None


def architecture(state_dict: Mapping[str, Tensor]) -> str:
    """Name of the network of canonical weights: ``vgg16``, ``vgg16_bn``, ``caffenet``, ``googlenet``.

    Raises:
        WeightsError: for any other number of convolutions.
    """
    pattern = re.compile(rf"backbone\.(conv\d(_\d)?|{GOOGLENET})\.weight")
    convs = [match[1] for key in state_dict if (match := pattern.fullmatch(key))]
    norm = "_bn" if any(key.startswith("backbone.bn") for key in state_dict) else ""
    if sorted(convs) == [f"conv{i}" for i in range(1, 6)]:
        return "caffenet"
    if len(convs) == 57 and all(re.fullmatch(GOOGLENET, conv) for conv in convs):
        return "googlenet"
    depths = {8: 11, 10: 13, 13: 16, 16: 19}
    if len(convs) not in depths or not all(re.fullmatch(r"conv\d_\d", conv) for conv in convs):
        raise WeightsError(
            f"{len(convs)} convolutions ({summarize(convs)}) are those of no VGG 11, 13, 16, 19, CaffeNet or GoogLeNet"
        )
    return f"vgg{depths[len(convs)]}{norm}"
