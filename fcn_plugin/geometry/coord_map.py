"""Exact coordinate maps between feature maps and the image.

Every layer maps an output index to a coordinate of its input. Composed with exact rationals, these give each
feature map a stride and an offset in image pixels: cell ``i`` is centred on pixel ``stride * i + offset``.
All crops of the skip heads follow from these by subtraction, for any padding and any backbone.

Source: the coordinate maps of Caffe's ``crop`` layer helper, as used by the reference release of FCN
(Shelhamer, Long, Darrell, "Fully Convolutional Networks for Semantic Segmentation", PAMI 2016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True)
class CoordMap:
    """Where the cells of a feature map lie in the image, along one axis (both axes are alike).

    Maps that differ in ``size`` or ``end`` alone are equal: nothing is aligned by these.

    Attributes:
        stride: distance between neighbouring cells, in pixels.
        offset: centre of cell 0, in pixels (pixel 0 is the centre of the first pixel).
        size: side of a cell's receptive field, in pixels; 1 for the image, and where it is not known.
        end: how far the centre of the last cell lies beyond the last pixel of the image, in pixels, negative inside of
            it; the least of all sizes of the image. None where it is not known.
    """

    stride: Fraction
    offset: Fraction
    size: Fraction = field(default=Fraction(1), compare=False)
    end: Fraction | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in ("stride", "offset", "size", "end"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Fraction(getattr(self, name)))
        if self.stride <= 0:
            raise ValueError(f"a feature map needs a positive stride, got {self.stride}")

    def __str__(self) -> str:
        return f"(stride {float(self.stride):g}, offset {float(self.offset):g})"

    def pixel(self, cell: int | Fraction) -> Fraction:
        """The image coordinate on which ``cell`` is centred, in pixels."""
        return self.stride * cell + self.offset

    def conv(
        self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, ceil_mode: bool = False
    ) -> CoordMap:
        """The map behind a convolution or a pooling: ``x = s * i - p + d * (k - 1) / 2``.

        Args:
            kernel (int): k.
            stride (int): s.
            padding (int): p, on both sides.
            dilation (int): d.
            ceil_mode (bool): whether there is a window that stands out at the end of the input, or a cell for it.
        """
        centre = Fraction(dilation * (kernel - 1), 2) - padding
        size = self.size + self.stride * dilation * (kernel - 1)
        dropped = 0 if ceil_mode else stride - 1  # cells at the end that no window covers, at most
        end = None if self.end is None else self.end - self.stride * (centre + dropped)
        return CoordMap(self.stride * stride, self.pixel(centre), size, end)

    def deconv(self, kernel: int, stride: int, padding: int = 0) -> CoordMap:
        """The map behind a transposed convolution: ``i = (o + p - (k - 1) / 2) / s``."""
        centre = (padding - Fraction(kernel - 1, 2)) / stride
        size = self.size + self.stride * (math.ceil(Fraction(kernel, stride)) - 1)
        end = None if self.end is None else self.end - self.stride * centre
        return CoordMap(self.stride / stride, self.pixel(centre), size, end)

    def cells_inside(self, size: int, padding: int = 0) -> range:
        """Cells whose receptive field lies in ``size`` pixels of an image, and ``padding`` more on either side."""
        half = (self.size - 1) / 2
        first, last = half - padding, size - 1 + padding - half
        start = max(0, math.ceil((first - self.offset) / self.stride))
        return range(start, max(start, math.floor((last - self.offset) / self.stride) + 1))

    def cells_before(self, other: CoordMap) -> Fraction:
        """How many cells of this map lie before cell 0 of ``other``, a map of the same stride (may be negative)."""
        if self.stride != other.stride:
            raise ValueError(f"maps of different strides cannot be cropped to each other: {self} and {other}")
        return (other.offset - self.offset) / self.stride

    @property
    def spans_image(self) -> bool:
        """Whether cell 0 lies less than a cell from where it would be if the map were stretched over the image."""
        return abs(self.offset - (self.stride - 1) / 2) < self.stride - Fraction(1, 2)

    @property
    def ends_inside(self) -> bool:
        """Whether there are images with whole pixels behind the last cell, which reaches half a stride further."""
        return self.end is not None and self.end + self.stride / 2 <= Fraction(-1, 2)

    @property
    def ends_unseen(self) -> bool:
        """Whether there are images whose last pixels are in no receptive field, as of convolutions without padding."""
        return self.end is not None and self.end + (self.size - 1) / 2 < 0


#: The image itself: one cell a pixel.
IMAGE = CoordMap(Fraction(1), Fraction(0), end=Fraction(0))
