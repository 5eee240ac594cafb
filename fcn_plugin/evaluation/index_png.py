"""Labels and predictions as pictures of class indices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

MAX_PNG_CLASSES = 256  #: that a PNG of class indices can hold


def read_indices(path: str | Path) -> np.ndarray:
    """Read a greyscale or palette PNG of class indices: uint8 (H, W).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it has colours in place of indices, or cannot be read.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode not in ("L", "P"):
                raise ValueError(f"{path} is a picture of mode {picture.mode}, expected class indices (mode L or P)")
            return np.array(picture)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError) as error:  # PIL has both for a damaged PNG
        raise ValueError(f"{path} cannot be read as an index PNG: {error}") from error
