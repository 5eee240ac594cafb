"""What is known of a feature map before it is computed."""

from __future__ import annotations

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
    """

    channels: int
    coord_map: CoordMap | None = None
    stride: Fraction | None = None
    whole_cells: bool = False

    def __post_init__(self) -> None:
        if self.coord_map is not None:
            object.__setattr__(self, "stride", self.coord_map.stride)

    def __str__(self) -> str:
        stride = "no stride" if self.stride is None else f"stride {float(self.stride):g}"
        return f"{self.channels} channels at {stride}"
