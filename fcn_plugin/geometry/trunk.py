"""What a trunk (backbone and neck) hands on: channels and strides of its maps, found without computing anything."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..structures.image_features import ImageFeatures

#: Height and width of the image of a dry run, in multiples of a number that all strides divide. What a map is wider
#: than high is free of padding and rounding.
HEIGHT, WIDTH, UNIT = 8, 16, 64


@dataclass(frozen=True)
class TrunkMap:
    """One map of a trunk.

    Attributes:
        channels: their number.
        stride: distance between neighbouring cells, in pixels; None if the map does not grow with the image.
    """

    channels: int
    stride: Fraction | None

    def __str__(self) -> str:
        stride = "no stride" if self.stride is None else f"stride {float(self.stride):g}"
        return f"{self.channels} channels at {stride}"


@dataclass(frozen=True)
class TrunkOutput:
    """What a trunk hands on.

    Attributes:
        maps: the maps, in its order.
        knows_positions: whether they come as :class:`ImageFeatures`.
    """

    maps: tuple[TrunkMap, ...]
    knows_positions: bool


def build_without_values(cfg: Mapping) -> nn.Module:
    """Build a model to look at: on torch's ``meta`` device, or, if its constructor computes something, on the CPU."""
    try:
        with torch.device("meta"):
            return MODELS.build(cfg)
    except (RuntimeError, NotImplementedError):
        return MODELS.build(cfg)


def dry_run(backbone: nn.Module, neck: nn.Module | None = None, strides: Sequence[Fraction] = ()) -> TrunkOutput | None:
    """Run a copy of a trunk whose tensors have no values (torch's ``meta`` device); the trunk itself is left as it is.

    It takes as long as Python needs to go through the layers, tenths of a second at most.

    Args:
        backbone (nn.Module): takes images (N, C, H, W).
        neck (nn.Module, optional): takes what the backbone returns.
        strides (Sequence[Fraction]): those that its maps are said to have.

    Returns:
        TrunkOutput, optional: None if the backbone or the neck cannot run without values.

    Raises:
        ValueError: if the neck does not take the backbone's maps.
    """
    unit = math.lcm(UNIT, *(stride.numerator for stride in strides))
    size = (HEIGHT * unit, WIDTH * unit)
    try:
        features = _run_without_values(backbone, _image(backbone, size))
        output = _output(features, size)
    except Exception:  # of any kind: it may use values, or not take images of this size
        return None
    if neck is None:
        return output
    try:
        return _output(_run_without_values(neck, features), size)
    except (RuntimeError, AssertionError) as error:
        if "meta" in str(error):
            return None
        raise ValueError(
            f"{type(neck).__name__} does not take the maps of {type(backbone).__name__}"
            f" ({'; '.join(map(str, output.maps))}): set model.neck to fit ({str(error).splitlines()[0]})"
        ) from error


def takes_size(backbone: nn.Module, size: tuple[int, int]) -> bool:
    """Whether a backbone runs on images of a height and a width, found by a dry run."""
    try:
        _run_without_values(backbone, _image(backbone, size))
    except Exception:  # as above
        return False
    return True


def _image(backbone: nn.Module, size: tuple[int, int]) -> Tensor:
    first = next((module for module in backbone.modules() if isinstance(module, nn.Conv2d)), None)
    return torch.empty(1, first.in_channels if first else 3, *size, device="meta")


def _run_without_values(module: nn.Module, inputs: Tensor | Sequence[Tensor]) -> Tensor | Sequence[Tensor]:
    """What a copy of a module returns that has all of its tensors on the ``meta`` device."""
    tensors = chain(module.parameters(), module.buffers())
    clone = copy.deepcopy(module, {id(tensor): tensor.detach().to("meta") for tensor in tensors})
    clone.eval()  # of some backbones, eval() returns nothing
    with torch.no_grad():
        return clone(inputs)


def _output(features: Tensor | Sequence[Tensor], size: tuple[int, int]) -> TrunkOutput:
    maps = []
    for one in [features] if isinstance(features, Tensor) else features:
        more = one.shape[-1] - one.shape[-2] if one.ndim == 4 else 0
        maps.append(TrunkMap(one.shape[1], Fraction(size[1] - size[0], more) if more > 0 else None))
    return TrunkOutput(tuple(maps), isinstance(features, ImageFeatures))
