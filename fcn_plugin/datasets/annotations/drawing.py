"""Objects of a picture, drawn one over the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .selection import UNLABELLED_CODE
from .source import reading


class Region(Protocol):
    """A part of a picture."""

    def mask(self, height: int, width: int) -> np.ndarray:
        """Where it is, bool (height, width); raises ValueError for what cannot be read."""


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
                labels[region.mask(height, width)] = code
        return labels
