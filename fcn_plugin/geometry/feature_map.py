"""What is known of a feature map before it is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .coord_map import CoordMap


@dataclass(frozen=True)
class FeatureMap:
    """One of the maps that a backbone or a neck returns.

    Backbones and necks of this package have a tuple of these as ``feature_maps``, recorded while they add their
    layers; of others :func:`fcn_plugin.geometry.feature_extractor.read_feature_maps` reads it.

    Attributes:
        channels: their number.
        coord_map: where its cells lie in the image; None where nothing tells it.
        stride: distance of its cells, in pixels, as far as it is known: that of ``coord_map``, or as it was seen in the
            sizes of the maps; None for a map that does not grow with the image.
        whole_cells: whether ``coord_map`` holds only for images that fill the cells of all maps, as of networks that
            pad by the size of the image.
        columns: how many cells there are in a row, and the width of the image in which they were seen, in pixels.
    """

    channels: int
    coord_map: CoordMap | None = None
    stride: Fraction | None = None
    whole_cells: bool = False
    columns: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.coord_map is not None:
            object.__setattr__(self, "stride", self.coord_map.stride)

    def off_centre(self, at: CoordMap) -> Fraction:
        """How many cells the middle of the map would lie from that of the image, if it lay there; 0 if not known."""
        if self.columns is None:
            return Fraction(0)
        cells, width = self.columns
        return (at.pixel(Fraction(cells - 1, 2)) - Fraction(width - 1, 2)) / at.stride

    def __str__(self) -> str:
        stride = "no stride" if self.stride is None else f"stride {float(self.stride):g}"
        return f"{self.channels} channels at {stride}"


def recorded_maps(module: object) -> tuple[FeatureMap, ...] | None:
    """The maps that a backbone has recorded while it added its layers.

    Returns:
        tuple[FeatureMap, ...], optional: None for one of others, also if it calls something else ``feature_maps``.

    Raises:
        ValueError: if only some of them are a FeatureMap.
    """
    maps = getattr(module, "feature_maps", None)
    if not isinstance(maps, Sequence) or not any(isinstance(one, (FeatureMap, CoordMap)) for one in maps):
        return None
    if not all(isinstance(one, FeatureMap) for one in maps):
        raise ValueError(
            f"{type(module).__name__}.feature_maps must list a FeatureMap(channels, coord_map) for each map, got {maps}"
        )
    return tuple(maps)
