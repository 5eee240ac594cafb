"""Receptive fields drawn over an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from ..geometry.linear_feature_extractor import LinearFeatureExtractor
from ..geometry.positions import MapAlignment
from .figures import save_figure

#: Sides of an image to draw on are multiples of UNIT, which all networks take; larger ones are cut.
UNIT, LARGEST = 64, 768
#: Most panels beside each other.
COLUMNS = 4
FIELD_COLOUR, WEIGHT_COLOUR, CENTRE_COLOUR = "cyan", "red", "yellow"


def grey_grid(size: tuple[int, int]) -> np.ndarray:
    """A grey image with a line every UNIT / 2 pixels: RGB, uint8 (H, W, 3)."""
    image = np.full((*size, 3), 110, np.uint8)
    image[:: UNIT // 2] = image[:, :: UNIT // 2] = 140
    return image


def middle_of(image: np.ndarray) -> np.ndarray:
    """The middle of an image (H, W, 3), its sides multiples of UNIT and no larger than LARGEST.

    Raises:
        ValueError: if it is smaller than UNIT.
    """
    sides = [min(LARGEST, side // UNIT * UNIT) for side in image.shape[:2]]
    if min(sides) == 0:
        raise ValueError(f"an image to draw on must have {UNIT} x {UNIT} pixels or more, got {image.shape[:2]}")
    top, left = ((whole - side) // 2 for whole, side in zip(image.shape, sides))
    return image[top : top + sides[0], left : left + sides[1]]


def draw_fields(
    path: str | Path, extractor: LinearFeatureExtractor, alignments: Sequence[MapAlignment], image: np.ndarray
) -> list[tuple[float, float, float, float]]:
    """Draw what the cell nearest to the middle of an image sees, a panel for each feature map as measured.

    A panel shows the image, how strongly the cell sees each pixel (the square root, of the strongest), the receptive
    field as a rectangle, also where it reaches beyond the image, and the centre as a dot. The network is the linear
    copy, all weights of which are alike: a trained network weighs the same pixels in its own way.

    Returns:
        list[tuple[float, float, float, float]]: left, top, right and bottom of each rectangle, in pixels; -0.5 is the
        left edge of the first pixel.

    Raises:
        ValueError: if the network does not take images of this size, or no map sees any pixel.
    """
    alignments = [a for a in alignments if not np.isnan(a.rows.field.centre)]
    if not alignments:
        raise ValueError("there is no feature map to draw whose cells see the image")
    height, width = image.shape[:2]
    ones = torch.ones(1, 1, height, width, dtype=torch.float64, requires_grad=True)
    maps, boxes = extractor.maps(ones), []
    columns = min(len(alignments), COLUMNS)
    rows = -(-len(alignments) // columns)
    figure = Figure(figsize=(max(4 * columns, 6), 4.5 * rows * height / width + 0.5), layout="constrained")
    for axes, alignment in zip([figure.add_subplot(rows, columns, i + 1) for i in range(len(alignments))], alignments):
        cell = _cell_in_the_middle(alignment, maps[alignment.index].shape[2:], (height, width))
        weights = extractor.weights(ones, maps[alignment.index], cell)
        centre = _centre(alignment, cell, weights)
        boxes.append(_box(alignment, centre))
        left, top, right, bottom = boxes[-1]
        overlay = np.zeros((height, width, 4))
        overlay[..., 0] = 1
        overlay[..., 3] = 0.8 * np.sqrt(np.nan_to_num(weights / weights.max()))
        axes.imshow(image)
        axes.imshow(overlay)
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=FIELD_COLOUR, lw=1.5))
        axes.plot(centre[1], centre[0], "o", color=CENTRE_COLOUR, markersize=4)
        view = [min(left, -0.5), max(right, width - 0.5), max(bottom, height - 0.5), min(top, -0.5)]
        margin = 0.03 * max(view[1] - view[0], view[2] - view[3])
        axes.set_xlim(view[0] - margin, view[1] + margin)
        axes.set_ylim(view[2] + margin, view[3] - margin)
        axes.set_title(_caption(alignment), fontsize=10)
    handles = [
        Line2D([], [], color=FIELD_COLOUR, label="receptive field"),
        Patch(color=WEIGHT_COLOUR, alpha=0.6, label="effective weight"),
        Line2D([], [], color=CENTRE_COLOUR, marker="o", linestyle="", label="centre of the cell"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    save_figure(figure, path)
    return boxes


def _cell_in_the_middle(alignment: MapAlignment, cells: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The cell whose centre is nearest to the middle of an image; of a map without positions, the one in its middle."""
    at = alignment.coord_map
    if at is None:
        return tuple(number // 2 for number in cells)
    nearest = [round(((side - 1) / 2 - float(at.offset)) / float(at.stride)) for side in size]
    return tuple(min(max(0, cell), number - 1) for cell, number in zip(nearest, cells))


def _centre(alignment: MapAlignment, cell: tuple[int, int], weights: np.ndarray) -> tuple[float, float]:
    """Row and column of a cell's centre; of a map without positions, as it weighs the pixels of this image."""
    if alignment.coord_map is not None:
        return tuple(float(alignment.coord_map.pixel(index)) for index in cell)
    return tuple(float(weights.sum(1 - axis) @ np.arange(side)) for axis, side in enumerate(weights.shape))


def _box(alignment: MapAlignment, centre: tuple[float, float]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom edge of the receptive field of a cell."""
    rows, columns = alignment.rows.field, alignment.columns.field
    top, left = (round(c + f.first - f.centre - 0.5, 6) for c, f in zip(centre, (rows, columns)))
    return left, top, left + columns.size, top + rows.size


def _caption(alignment: MapAlignment) -> str:
    at = alignment.coord_map
    position = str(at).strip("()") if at else "no one position"
    return "map {}: {}\nfield {} x {}".format(alignment.index, position, *alignment.field)
