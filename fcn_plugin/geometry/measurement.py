"""Measure where the cells of any network's feature maps lie in the image.

The positions that :mod:`fcn_plugin.geometry` derives from kernels, strides and paddings are measured here from nothing
but the network's own computation. In a positive, linear copy of it (:class:`LinearCopy`), a cell is a weighted mean of
pixels. Of an image whose pixels hold their own coordinates, that mean is the pixel on which the cell is centred. The
gradient of the cell tells which pixels it sees, its receptive field.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.utils import _pair

from .linear_feature_extractor import LinearFeatureExtractor
from .positions import AxisAlignment, Field, Line, MapAlignment

#: An image is measured along one axis at a time. Along it, it is so long that the cells in its middle do not see its
#: ends; across, it is as narrow as the network takes. All are multiples of 64, as some networks refuse others.
START_LENGTH, MAX_LENGTH, WIDTHS = 512, 8192, (64, 128, 256, 512)
#: Most neighbours to measure, on either side of the cell in the middle.
NEIGHBOURS = 8
AXES = ("rows", "columns")


def measure_alignment(extractor: LinearFeatureExtractor, indices: Sequence[int] | None = None) -> list[MapAlignment]:
    """Measure the feature maps of a feature extractor.

    Positions are those in images whose sides are multiples of 64, and hold for others if there is no ``note``.

    Args:
        extractor (LinearFeatureExtractor): the network.
        indices (Sequence[int], optional): which maps, negative ones from the end. Defaults to all.

    Returns:
        list[MapAlignment]: in the order of the feature extractor.

    Raises:
        ValueError: if the network cannot compute its maps, or there is no map of an index.
    """
    channels = [m.shape[1] for m in extractor.maps(_ones(smallest_size(extractor, 0)))]
    number = len(channels)
    for index in indices or ():
        if not -number <= index < number:
            raise ValueError(f"there is no feature map {index}: {extractor.name} returns {number}, 0 to {number - 1}")
    chosen = sorted({index % number for index in (range(number) if indices is None else indices)})
    axes = [_measure_axis(extractor, axis, chosen) for axis in range(len(AXES))]
    return [MapAlignment(index, channels[index], *both) for index, *both in zip(chosen, *axes)]


def smallest_size(extractor: LinearFeatureExtractor, axis: int) -> tuple[int, int]:
    """Height and width of an image of START_LENGTH along an axis, narrow across; or of the size that a network demands.

    Raises:
        ValueError: if the network takes none.
    """
    sizes = [(START_LENGTH, width) if axis == 0 else (width, START_LENGTH) for width in WIDTHS]
    if demanded := getattr(extractor.parts[0], "img_size", None):
        sizes.append(tuple(_pair(demanded)))
    for size in sizes:
        try:
            extractor.maps(_ones(size))
            return size
        except ValueError as error:
            reason = error
    raise reason


def _measure_axis(extractor: LinearFeatureExtractor, axis: int, indices: Sequence[int]) -> list[AxisAlignment]:
    size = smallest_size(extractor, axis)
    fixed = size[axis] != START_LENGTH
    while True:
        fields, inside = zip(*_fields(extractor, axis, size, indices))
        if all(inside) or fixed or 2 * size[axis] > MAX_LENGTH:
            break
        size = _longer(size, axis, size[axis])
    runs = [_centres(extractor, axis, size, indices), _centres(extractor, axis, size, indices, seed=1)]
    try:
        runs.append(_centres(extractor, axis, _longer(size, axis, 1), indices))
    except ValueError:  # the network refuses such a size
        runs.append(None)
    alignments = []
    for number, field in enumerate(fields):
        lines = []
        if inside[number] and not np.isnan(field.centre):
            cells = _cells_inside(field, runs[0][number], size[axis])
            lines = [run and Line(cells.start, tuple(run[number][cells].tolist())) for run in runs]
        alignments.append(AxisAlignment(AXES[axis], size[axis], field, *lines))
    return alignments


def _fields(
    extractor: LinearFeatureExtractor, axis: int, size: tuple[int, int], indices: Sequence[int]
) -> list[tuple[Field, bool]]:
    """What the cells in the middle see, and whether they lie some cells away from seeing the ends of the image."""
    image, fields = _ones(size), []
    maps = extractor.maps(image)
    for index in indices:
        cell = tuple(cells // 2 for cells in maps[index].shape[2:])
        profile = extractor.weights(image, maps[index], cell).sum(1 - axis)
        seen = np.flatnonzero(profile)  # NaN counts as seen
        field = Field(cell[axis], int(seen[0]), int(seen[-1]), float(profile @ np.arange(size[axis])))
        margin = 3 * size[axis] / maps[index].shape[2 + axis]
        inside = margin <= field.first and field.last <= size[axis] - 1 - margin
        fields.append((field, inside or np.isnan(field.centre)))
    return fields


def _centres(
    extractor: LinearFeatureExtractor, axis: int, size: tuple[int, int], indices: Sequence[int], seed: int | None = None
) -> list[np.ndarray]:
    """The pixels on which the cells of each map are centred, those at the ends of the image without sense."""
    middle = size[axis] // 2
    coordinates = torch.arange(size[axis], dtype=torch.float64) - middle
    coordinates = (coordinates[:, None] if axis == 0 else coordinates).expand(size)
    images = torch.stack([coordinates, torch.ones_like(coordinates), torch.zeros_like(coordinates)])[:, None]
    maps, centres = extractor.maps(images.requires_grad_(), seed), []
    for index in indices:
        cells = maps[index].detach().mean(1)
        pixels, ones, zeros = cells.select(2 - axis, cells.shape[2 - axis] // 2)
        centres.append(((pixels - zeros) / (ones - zeros)).numpy() + middle)  # zeros: what was not linear, but affine
    return centres


def _cells_inside(field: Field, centres: np.ndarray, length: int) -> slice:
    """Cells on both sides of a field's that do not see the ends of the image, not even if they lie a cell further."""
    stride = max(1, centres[field.cell + 1] - centres[field.cell])
    reach = int(min(field.first, length - 1 - field.last) / stride) - 1
    reach = max(1, min(reach, NEIGHBOURS, field.cell))
    return slice(field.cell - reach, field.cell + reach + 1)


def _longer(size: tuple[int, int], axis: int, pixels: int) -> tuple[int, int]:
    return tuple(side + pixels * (i == axis) for i, side in enumerate(size))


def _ones(size: tuple[int, int]) -> Tensor:
    return torch.ones(1, 1, *size, dtype=torch.float64, requires_grad=True)
