"""Objects of a picture, drawn one over the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .regions import Region
from .selection import UNLABELLED_CODE
from .source import reading


@dataclass(frozen=True)
class Drawing:
    """Objects of a picture.

    Attributes:
        objects: from below to the top: position in the list of names, or a code, and region.
        where: what to call it in a message.
    """

    objects: tuple[tuple[int, Region], ...]
    where: str

    def __call__(self, height: int, width: int) -> np.ndarray:
        """Draw the objects: position in the list of names or a code for each pixel, int16 (height, width)."""
        labels = np.full((height, width), UNLABELLED_CODE, np.int16)
        with reading(self.where):
            for code, region in self.objects:
                region.paint(labels, code)
        return labels
