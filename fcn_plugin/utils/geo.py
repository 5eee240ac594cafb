"""Where on the earth a picture lies, from the tags of its GeoTIFF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PIXEL_SIZE, TIE_POINT, MATRIX, KEYS = 33550, 33922, 34264, 34735
IS_POINT, GEOGRAPHIC, PROJECTED = 1025, 2048, 3072  #: keys: what a position of a pixel is, and coordinate systems
POINT, USER_DEFINED = 2, 32767  #: of the first key, its centre; of the others, no number of EPSG


class Place(NamedTuple):
    """How positions in a picture become coordinates."""

    matrix: np.ndarray  #: float64 (2, 3): of x to the right, y downwards in pixels, from the first one's corner, and 1
    epsg: int | None  #: number of the coordinate system, if it is one of EPSG's

    def coordinates(self, points: np.ndarray) -> np.ndarray:
        """Coordinates (N, 2) of positions (x, y) in pixels (N, 2)."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]


def place_of(geo_tags: Sequence[tuple]) -> Place | None:
    """The place of a picture, from tags as :func:`.tiff_windows.geo_tags_of` gives them; None if they tell of none."""
    tags = {tag[0]: tag[3] for tag in geo_tags}
    keys = tags.get(KEYS) or ()
    found = {keys[i]: keys[i + 3] for i in range(4, len(keys) - 3, 4) if not keys[i + 1]}
    if MATRIX in tags:
        matrix = np.array(tags[MATRIX], float).reshape(4, 4)[:2, [0, 1, 3]]
    elif PIXEL_SIZE in tags and TIE_POINT in tags:
        (width, height), (column, row, _, x, y) = tags[PIXEL_SIZE][:2], tags[TIE_POINT][:5]
        matrix = np.array([[width, 0, x - column * width], [0, -height, y + row * height]])
    else:
        return None
    if found.get(IS_POINT) == POINT:
        matrix[:, 2] -= matrix[:, :2].sum(1) / 2
    number = found.get(PROJECTED) or found.get(GEOGRAPHIC)
    return Place(matrix, None if number in (None, 0, USER_DEFINED) else int(number))
