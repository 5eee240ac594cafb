"""Feature maps that know the image they came from."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..geometry.coord_map import CoordMap


class ImageFeatures(tuple):
    """The tuple of feature maps that a backbone or neck hands on, with the size of its image and the map positions.

    To the toolbox it is a plain tuple. The skip heads need the two extra facts: the size of the image cannot be told
    from pooled maps, and the positions show whether a head was built for another feature extractor.

    Attributes:
        image_size (tuple[int, int]): height and width of the network's input, in pixels.
        coord_maps (tuple[CoordMap, ...]): position of each feature map in the image.
    """

    image_size: tuple[int, int]
    coord_maps: tuple[CoordMap, ...]

    def __new__(
        cls, features: Sequence[Tensor], image_size: tuple[int, int], coord_maps: Sequence[CoordMap]
    ) -> ImageFeatures:
        """Make the tuple; raises ValueError unless there is a coordinate map for each feature map."""
        self = super().__new__(cls, features)
        if len(self) != len(coord_maps):
            raise ValueError(f"{len(self)} feature maps need as many coordinate maps, got {len(coord_maps)}")
        self.image_size = tuple(image_size)
        self.coord_maps = tuple(coord_maps)
        return self

    def __getnewargs__(self) -> tuple:
        """What a copy is made of, also one in another process."""
        return tuple(self), self.image_size, self.coord_maps
