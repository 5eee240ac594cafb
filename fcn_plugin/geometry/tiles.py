"""How a picture is cut into windows: with margins, so that blocks are exact, or with overlaps that are blended."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

#: Rows and columns of a picture, in pixels.
Block = tuple[slice, slice]


@dataclass(frozen=True)
class Tile:
    """A block of outputs, and the window of the picture that it needs.

    Attributes:
        block: the pixels whose outputs are wanted.
        window: the pixels that these outputs see.
    """

    block: Block
    window: Block

    @property
    def inside(self) -> Block:
        """The block, counted from the window's first pixel."""
        rows, columns = (
            slice(one.start - seen.start, one.stop - seen.start) for one, seen in zip(self.block, self.window)
        )
        return rows, columns


def tiles(size: tuple[int, int], side: int, margin: int, stride: int) -> Iterator[Tile]:
    """Cut a picture into blocks with their windows, row by row.

    Windows begin at multiples of the stride, so that pooling and rounding fall as in the whole picture, and have at
    most ``side + 2 * margin`` rows and columns. At the picture's own borders there is no margin, as the network pads
    there as it pads the whole: blocks there are a margin larger.

    Args:
        size (tuple[int, int]): height and width of the picture.
        side (int): of the blocks inside, a multiple of the stride.
        margin (int): a multiple of the stride, see :func:`.locality.measure_locality`.
        stride (int): the coarsest one of the network's maps.

    Raises:
        ValueError: for a side or a margin that is no multiple of the stride.
    """
    if side < 1 or side % stride or margin % stride:
        raise ValueError(f"a tile's side and margin must be multiples of the stride {stride}, got {side} and {margin}")
    rows, columns = (_blocks(length, side, margin) for length in size)
    for block in product(rows, columns):
        up_down, left_right = (
            slice(max(0, one.start - margin), min(one.stop + margin, n)) for one, n in zip(block, size)
        )
        yield Tile(block, (up_down, left_right))


def _blocks(length: int, side: int, margin: int) -> list[slice]:
    if length <= side + 2 * margin:
        return [slice(0, length)]
    cuts = [0, side + margin]
    while length - cuts[-1] > side + margin:
        cuts.append(cuts[-1] + side)
    return [slice(start, end) for start, end in zip(cuts, [*cuts[1:], length])]


def overlapping(length: int, side: int, overlap: int, stride: int) -> list[slice]:
    """Cut one axis of a picture into windows that overlap by so many pixels, the last two by more.

    Args:
        length (int): of the axis.
        side (int): of a window; the last one may be up to ``stride - 1`` pixels smaller.
        overlap (int): less than the side.
        stride (int): at whose multiples windows begin, if side and overlap are multiples of it.
    """
    last = math.ceil(max(0, length - side) / stride) * stride
    return [slice(start, min(start + side, length)) for start in (*range(0, last, side - overlap), last)]


def blend_weights(windows: Sequence[slice], overlap: int) -> list[Tensor]:
    """Weights of the pixels of windows along one axis: they rise and fall linearly at cuts, and add up to 1.

    Args:
        windows (Sequence[slice]): as from :func:`overlapping`.
        overlap (int): pixels over which a weight rises from 0 to 1.

    Returns:
        list[Tensor]: float32 (L,) of each window.
    """
    length, weights = windows[-1].stop, []
    for one in windows:
        pixels = torch.arange(one.start, one.stop) + 0.5
        rise = (pixels - one.start) / overlap if one.start else torch.ones(len(pixels))
        fall = (one.stop - pixels) / overlap if one.stop < length else torch.ones(len(pixels))
        weights.append(torch.minimum(rise, fall).clamp(max=1))
    total = torch.zeros(length)
    for one, weight in zip(windows, weights):
        total[one] += weight
    return [weight / total[one] for one, weight in zip(windows, weights)]
