"""Shift-and-stitch: dense scores from shifted inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor

from ..geometry.coord_map import CoordMap


def shift_and_stitch(
    network: Callable[[Tensor], Tensor], images: Tensor, coord_map: CoordMap, stride: int = 1
) -> tuple[Tensor, CoordMap]:
    """Make scores every ``stride`` pixels with a network whose own scores lie further apart.

    The images are moved down and right by 0, ``stride``, 2 ``stride``, ... pixels, less than the network's stride s;
    zeros, the mean colour, move in. The network runs on each of the moved images, and its scores are interlaced. So
    every score is the network's own, for a receptive field that is centred on its place. The scores of the images as
    they are are among them, unchanged.

    At the top and left border, inner layers pad with zeros, and these move with the images. No score is touched by
    them whose field starts inside of what the first convolution pads (:meth:`CoordMap.cells_inside`); these scores are
    also those of the network with dilated filters (:func:`fcn_plugin.segmentors.a_trous.dense_form`).

    This takes ``(s / stride) ** 2`` passes, and the memory of one of them and of the scores.

    Args:
        network (Callable): makes scores (N, C, h, w) of images (N, 3, H, W).
        images (Tensor): (N, 3, H, W).
        coord_map (CoordMap): where the network's scores lie.
        stride (int): distance of the scores to make, in pixels; a divisor of s.

    Returns:
        tuple[Tensor, CoordMap]: scores (N, C, h', w'), and where they lie. The first one is the first of the image that
        moved furthest, ``s - stride`` pixels above and left of the network's own first one.

    Raises:
        ValueError: if ``stride`` does not divide the network's, or the network's scores do not grow with the image.

    Source: section 3.2 of the FCN paper.
    """
    check_divisor(stride, coord_map)
    phases = int(coord_map.stride) // stride
    shifts = [stride * i for i in range(phases)]
    heights, widths = [0] * phases, [0] * phases
    stitched = None
    for i, down in enumerate(shifts):
        for j, right in enumerate(shifts):
            scores = network(F.pad(images, (right, 0, down, 0)))
            if stitched is None:  # a moved image is larger, by one cell at most
                stitched = scores.new_empty(*scores.shape[:2], *(phases * (cells + 1) for cells in scores.shape[2:]))
            # the further an image has moved, the further up and left its scores lie
            row, column = phases - 1 - i, phases - 1 - j
            heights[row], widths[column] = scores.shape[2:]
            stitched[:, :, row::phases, column::phases][:, :, : heights[row], : widths[column]] = scores
    for cells in (heights, widths):
        _check_no_gaps(cells)
    return stitched[:, :, : sum(heights), : sum(widths)], dense_map(coord_map, stride)


def check_divisor(stride: int, coord_map: CoordMap) -> None:
    """Check that scores of a map can be made ``stride`` pixels apart.

    Raises:
        ValueError: if it is no divisor of the map's stride.
    """
    if not isinstance(stride, int) or stride < 1 or coord_map.stride % stride:
        raise ValueError(
            f"the stride of dense scores must be a divisor of the network's {coord_map.stride}: got {stride}"
        )


def dense_map(coord_map: CoordMap, stride: int) -> CoordMap:
    """Where scores lie that :func:`shift_and_stitch` makes of a network with scores at ``coord_map``."""
    return CoordMap(stride, coord_map.offset - (coord_map.stride - stride), coord_map.size)


def _check_no_gaps(cells: Sequence[int]) -> None:
    """Check that each phase has as many cells as the next one, or one more, so that the interlaced map has no gaps."""
    if list(cells) != sorted(cells, reverse=True) or cells[0] - cells[-1] > 1:
        raise ValueError(f"the network's scores do not grow with the image: {list(cells)} cells in a row, by phase")
