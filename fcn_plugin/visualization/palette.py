"""Class indices in their colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WHITE = (255, 255, 255)


def paint(indices: np.ndarray, palette: Sequence[Sequence[int]], other: Sequence[int] = WHITE) -> np.ndarray:
    """Colour class indices: integers (H, W) become RGB, uint8 (H, W, 3), with ``other`` for what is no class."""
    colours = np.full((max(len(palette), int(indices.max(initial=0)) + 1), 3), other, np.uint8)
    colours[: len(palette)] = palette
    return colours[indices]


def blend(image: np.ndarray, colours: np.ndarray, opacity: float) -> np.ndarray:
    """Lay colours over an image, both RGB, uint8 (H, W, 3), with an opacity from 0 to 1."""
    return ((1 - opacity) * image + opacity * colours).round().astype(np.uint8)
