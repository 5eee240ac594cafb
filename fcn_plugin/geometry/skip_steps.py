"""The plan of the staged fusion: kernels and crops that bring each map onto the next finer one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .coord_map import IMAGE, CoordMap


@dataclass(frozen=True)
class UpsampleStep:
    """One transposed convolution and the crops that align its output with a target map.

    Attributes:
        factor: upsampling factor, the stride of the transposed convolution; 1 for maps of the same stride.
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

    @property
    def changes_nothing(self) -> bool:
        """Whether the maps lie on the same grid already, so that there is nothing to compute."""
        return self.kernel == 1


def upsample_step(source: CoordMap, target: CoordMap) -> UpsampleStep:
    """Find kernel and crops to bring ``source`` onto the grid of ``target``.

    For maps of the same stride, the factor is 1 and the kernel 1, which changes nothing, or 2, the mean of neighbours
    half a cell away on either side.

    Raises:
        ValueError: if the strides are not an integer factor apart, or no bilinear kernel aligns the grids.
    """
    factor = source.stride / target.stride
    if factor.denominator != 1:
        raise ValueError(
            f"cannot upsample a map {source} onto {target}: their strides must be an integer factor apart; list the"
            " feature maps from fine to coarse"
        )
    factor = int(factor)
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
