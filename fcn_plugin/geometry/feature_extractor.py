"""What a feature extractor, a built backbone with its neck, hands on: channels and positions of its maps."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from fractions import Fraction
from itertools import chain

import torch
from mmseg.models.backbones import TIMMBackbone
from torch import Tensor, nn

from ..utils.text import first_line
from .backbones import UnknownGeometryError, backbone_maps, neck_maps
from .coord_map import CoordMap
from .feature_map import FeatureMap, recorded_maps
from .linear_feature_extractor import LinearFeatureExtractor
from .measurement import measure_alignment

#: Height and width of the image of a dry run, in pixels. What a map is wider than high is free of padding and rounding.
HEIGHT, WIDTH = 512, 1024


def read_feature_maps(backbone: nn.Module, neck: nn.Module | None = None) -> tuple[FeatureMap, ...]:
    """The maps of a feature extractor, in its order.

    Backbones and necks of this package have recorded them. Of others, channels and strides are those of a dry run, and
    positions are read from the layers of those that are known (:mod:`.backbones`). Networks of timm are measured: they
    are too many to read their layers.

    Args:
        backbone (nn.Module): takes images (N, C, H, W).
        neck (nn.Module, optional): takes what the backbone returns.

    Returns:
        tuple[FeatureMap, ...]: without ``coord_map`` where nothing tells it; empty if it cannot run dry, either.

    Raises:
        UnknownGeometryError: for settings of a known backbone that give its maps no one position.
        ValueError: for a backbone that returns no maps, or a neck that does not take them.
    """
    if recorded := recorded_maps(backbone):
        maps = recorded
    elif isinstance(backbone, TIMMBackbone):
        maps = _measured(backbone)
    else:
        maps = _located(dry_run(backbone) or (), backbone_maps(backbone))
    if neck is None or not maps:
        return maps
    if hasattr(neck, "feature_maps_behind"):
        return neck.feature_maps_behind(maps)
    known = all(one.coord_map for one in maps)
    return _located(dry_run(backbone, neck) or (), neck_maps(neck, [one.coord_map for one in maps]) if known else None)


def _located(maps: Sequence[FeatureMap], coord_maps: Sequence[CoordMap] | None) -> tuple[FeatureMap, ...]:
    if coord_maps is None:
        return tuple(maps)
    return tuple(FeatureMap(one.channels, at) for one, at in zip(maps, coord_maps))


#: What was measured in this process, by the layers of the network, their settings, and what is seen of its maps: it
#: takes a second, and a training builds its model several times.
_MEASURED: dict[tuple, tuple[FeatureMap, ...]] = {}


PLAIN = (bool, int, float, str, tuple, list, type(None))  #: kinds of settings of layers


def _measured(backbone: nn.Module) -> tuple[FeatureMap, ...]:
    if (maps := dry_run(backbone)) is None:
        return _measure(backbone)
    settings = [
        {key: value for key, value in vars(one).items() if isinstance(value, PLAIN)} for one in backbone.modules()
    ]
    key = (repr(backbone), repr(settings), maps)  # what a layer prints need not be all that it computes with
    if key not in _MEASURED:
        _MEASURED[key] = _measure(backbone)
    return _MEASURED[key]


def _measure(backbone: nn.Module) -> tuple[FeatureMap, ...]:
    with torch.device("cpu"):  # with values, also of a network that is built without
        measured = measure_alignment(LinearFeatureExtractor(backbone))
    for one in measured:
        if one.problem:
            raise UnknownGeometryError(
                f"map {one.index} of {type(backbone).__name__} has no one position: {one.problem}"
            )
    coarsest = int(max(one.coord_map.stride for one in measured))
    maps = []
    for one in measured:
        at, whole_cells = one.coord_map, bool(one.note)
        lengths = [HEIGHT, *([] if whole_cells else [HEIGHT + coarsest - 1])]
        widths = [
            _run_without_values(backbone, _image(backbone, (64, length)))[one.index].shape[3] for length in lengths
        ]
        end = min(at.pixel(cells - 1) - (length - 1) for cells, length in zip(widths, lengths))
        maps.append(FeatureMap(one.channels, CoordMap(at.stride, at.offset, max(one.field), end), None, whole_cells))
    return tuple(maps)


def dry_run(backbone: nn.Module, neck: nn.Module | None = None) -> tuple[FeatureMap, ...] | None:
    """Run a copy of a feature extractor whose tensors have no values (torch's ``meta`` device).

    The feature extractor itself is left as it is. It takes as long as Python needs to go through the layers,
    tenths of a second at most.

    Returns:
        tuple[FeatureMap, ...], optional: channels and strides; None if the backbone or the neck cannot run without
        values.

    Raises:
        ValueError: if the neck does not take the backbone's maps.
    """
    try:
        features = _run_without_values(backbone, _image(backbone, (HEIGHT, WIDTH)))
        maps = _seen(features)
    except Exception:  # of any kind: it may use values, or not take images of this size
        return None
    if neck is None:
        return maps
    try:
        return _seen(_run_without_values(neck, features))
    except (RuntimeError, AssertionError) as error:
        if "meta" in str(error).lower():
            return None
        raise ValueError(
            f"{type(neck).__name__} does not take the maps of {type(backbone).__name__} ({'; '.join(map(str, maps))}):"
            f" set model.neck to fit ({first_line(error)})"
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


def _seen(features: Tensor | Sequence[Tensor]) -> tuple[FeatureMap, ...]:
    maps = []
    for one in [features] if isinstance(features, Tensor) else features:
        more = one.shape[-1] - one.shape[-2] if one.ndim == 4 else 0
        stride, columns = (Fraction(WIDTH - HEIGHT, more), (one.shape[-1], WIDTH)) if more > 0 else (None, None)
        maps.append(FeatureMap(one.shape[1], stride=stride, columns=columns))
    return tuple(maps)


__all__ = ["UnknownGeometryError", "dry_run", "takes_size", "read_feature_maps"]
