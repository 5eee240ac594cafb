"""Exact coordinate maps between feature maps and the image.

Every layer maps an output index to a coordinate of its input. Composed with exact rationals, these give each
feature map a stride and an offset in image pixels: cell ``i`` is centred on pixel ``stride * i + offset``.
All crops of the skip heads follow from these by subtraction, for any padding and any backbone.

Source: the coordinate maps of Caffe's ``crop`` layer helper, as used by the reference release of FCN
(Shelhamer, Long, Darrell, "Fully Convolutional Networks for Semantic Segmentation", PAMI 2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True)
class CoordMap:
    """Where the cells of a feature map lie in the image, along one axis (both axes are alike).

    Attributes:
        stride: distance between neighbouring cells, in pixels.
        offset: centre of cell 0, in pixels (pixel 0 is the centre of the first pixel).
        size: side of a cell's receptive field, in pixels; 1 for the image, and where it was not told. Maps that differ
            in it alone are equal: nothing is aligned by it.
    """

    stride: Fraction
    offset: Fraction
    size: Fraction = field(default=Fraction(1), compare=False)

    def __post_init__(self) -> None:
        for name in ("stride", "offset", "size"):
            object.__setattr__(self, name, Fraction(getattr(self, name)))
        if self.stride <= 0:
            raise ValueError(f"a feature map needs a positive stride, got {self.stride}")

    def __str__(self) -> str:
        return f"(stride {float(self.stride):g}, offset {float(self.offset):g})"

    def pixel(self, cell: int | Fraction) -> Fraction:
        """The image coordinate on which ``cell`` is centred, in pixels."""
        return self.stride * cell + self.offset

    def conv(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> CoordMap:
        """The map behind a convolution or a pooling: ``x = s * i - p + d * (k - 1) / 2``."""
        centre = Fraction(dilation * (kernel - 1), 2) - padding
        size = self.size + self.stride * dilation * (kernel - 1)
        return CoordMap(self.stride * stride, self.pixel(centre), size)

    def deconv(self, kernel: int, stride: int, padding: int = 0) -> CoordMap:
        """The map behind a transposed convolution: ``i = (o + p - (k - 1) / 2) / s``."""
        centre = (padding - Fraction(kernel - 1, 2)) / stride
        size = self.size + self.stride * (math.ceil(Fraction(kernel, stride)) - 1)
        return CoordMap(self.stride / stride, self.pixel(centre), size)

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


#: The image itself: one cell a pixel.
IMAGE = CoordMap(Fraction(1), Fraction(0))


@dataclass(frozen=True)
class UpsampleStep:
    """One transposed convolution and the crops that align its output with a target map.

    Attributes:
        factor: upsampling factor, the stride of the transposed convolution.
        kernel: its kernel size, ``2 * factor`` or ``2 * factor - 1``, whichever makes the crop an integer.
        crop_upsampled: cells to drop at the start of the upsampled map.
        crop_target: cells to drop at the start of the target map (a skip; never the image).
        result: coordinate map of the two once cropped.
    """

    factor: int
    kernel: int
    crop_upsampled: int
    crop_target: int
    result: CoordMap


def upsample_step(source: CoordMap, target: CoordMap) -> UpsampleStep:
    """Find kernel and crops to bring ``source`` onto the grid of ``target``.

    Raises:
        ValueError: if the strides are not an integer factor apart, or no bilinear kernel aligns the grids.
    """
    factor = source.stride / target.stride
    if factor.denominator != 1 or factor < 2:
        raise ValueError(
            f"cannot upsample a map {source} onto {target}: their strides must be an integer factor of 2 or more apart;"
            " list the feature maps from fine to coarse"
        )
    return bilinear_step(source, target)


def bilinear_step(source: CoordMap, target: CoordMap) -> UpsampleStep:
    """As :func:`upsample_step`, also for maps of the same stride: factor 1.

    The kernel is then 1, which changes nothing, or 2, the mean of neighbours half a cell away on either side.

    Raises:
        ValueError: if no bilinear kernel aligns the grids.
    """
    factor = int(source.stride / target.stride)
    for kernel in (2 * factor, 2 * factor - 1):
        upsampled = source.deconv(kernel, factor)
        before = upsampled.cells_before(target)
        if before.denominator == 1:
            crop_upsampled, crop_target = max(0, int(before)), max(0, -int(before))
            start = upsampled.pixel(crop_upsampled)
            return UpsampleStep(factor, kernel, crop_upsampled, crop_target, CoordMap(target.stride, start))
    raise ValueError(
        f"no bilinear kernel aligns {source} with {target}: after upsampling by {factor} their cells lie"
        f" {float(before % 1):g} of a cell apart; check the declared offsets"
    )


def skip_steps(feature_maps: Sequence[CoordMap]) -> tuple[UpsampleStep, ...]:
    """Plan staged skip fusion: from the coarsest map over each finer one to the image.

    Args:
        feature_maps: maps from fine to coarse, as backbones return them (pool3, pool4, fc7).

    Returns:
        One step per feature map, coarsest first; the last one leads to the image.

    Raises:
        ValueError: if the maps cannot be aligned, or their fusion starts inside the image, so that no crop can
            give scores for its first pixels.
    """
    if not feature_maps:
        raise ValueError("a skip head needs at least one feature map, got none")
    current, *skips = reversed(feature_maps)
    steps = []
    for target in (*skips, IMAGE):
        steps.append(upsample_step(current, target))
        current = steps[-1].result
    if steps[-1].crop_target:
        missing = steps[-1].crop_target
        maps = ", ".join(map(str, feature_maps))
        raise ValueError(
            f"the fused score map does not reach the first {missing} pixel(s) of the image (feature maps: {maps}):"
            f" pad the first convolution by at least {missing} more, or pad fc6 (fc6_padding='same')"
        )
    return tuple(steps)
