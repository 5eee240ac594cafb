"""Windows of an image that give exactly the outputs of the whole, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from .coord_map import CoordMap


@dataclass(frozen=True)
class Tile:
    """A block of outputs, and the window of the image that it needs; rows and columns, in pixels.

    Attributes:
        block: the pixels whose outputs are wanted.
        window: the pixels that these outputs see.
    """

    block: tuple[slice, slice]
    window: tuple[slice, slice]

    @property
    def inside(self) -> tuple[slice, slice]:
        """The block, counted from the window's first pixel."""
        return tuple(
            slice(one.start - seen.start, one.stop - seen.start) for one, seen in zip(self.block, self.window)
        )


def margin_of(feature_maps: Sequence[CoordMap]) -> int:
    """How far the outputs of a skip head see, in pixels: a multiple of the coarsest stride.

    An output takes cells that are centred at most two strides away, as each bilinear upsampling reaches one cell of its
    map further, and cells see half a receptive field to either side.

    Args:
        feature_maps (Sequence[CoordMap]): where the fused maps lie, with their receptive fields.
    """
    stride = max(one.stride for one in feature_maps)
    reach = 2 * stride + max((one.size - 1) / 2 for one in feature_maps)
    return int(math.ceil(reach / stride) * stride)


def tiles(size: tuple[int, int], side: int, margin: int, stride: int) -> Iterator[Tile]:
    """Cut an image into blocks with their windows, row by row.

    Windows start at multiples of the stride, so that pooling and rounding fall as in the whole image, and end with the
    image or a margin behind their block. At the image's own borders there is no margin: the network pads there as it
    pads the whole.

    Args:
        size (tuple[int, int]): height and width of the image.
        side (int): of the blocks, a multiple of the stride; the last ones are smaller.
        margin (int): a multiple of the stride, see :func:`margin_of`.
        stride (int): the coarsest one of the network's maps.
    """
    if side < 1 or side % stride or margin % stride:
        raise ValueError(f"a tile's side and margin must be multiples of the stride {stride}, got {side} and {margin}")
    rows, columns = ([slice(start, min(start + side, n)) for start in range(0, n, side)] for n in size)
    for block in product(rows, columns):
        window = tuple(slice(max(0, one.start - margin), min(one.stop + margin, n)) for one, n in zip(block, size))
        yield Tile(block, window)
