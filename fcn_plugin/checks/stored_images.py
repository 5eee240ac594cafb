"""Facts about image files that are lost when they are loaded as 8 bits."""

from __future__ import annotations

import os

import cv2
import numpy as np
from PIL import Image

from ..utils.images import JPEG

PNG = b"\x89PNG\r\n\x1a\n"
EIGHT_BITS = (JPEG, b"GIF8", b"BM", b"RIFF")  #: how files begin that have no more
BITS_OF_PNG = 24  #: where a PNG has its bits per band
BITS_OF_TIFF = 258  #: tag of a TIFF that has them


def is_jpeg(path: str) -> bool:
    """Whether a file of the file system begins as a JPEG does."""
    return os.path.isfile(path) and _start_of(path).startswith(JPEG)


def highest_value(path: str) -> float | None:
    """The highest value in an image file of more than 8 bits; None of others, and of files elsewhere."""
    if not os.path.isfile(path):
        return None
    start = _start_of(path)
    if start.startswith(EIGHT_BITS) or (start.startswith(PNG) and start[BITS_OF_PNG] <= 8):
        return None
    if start.startswith((b"II", b"MM")) and _bits_of_tiff(path) <= 8:
        return None
    stored = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    return None if stored is None or stored.dtype == np.uint8 else float(np.nanmax(stored))


def _start_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(BITS_OF_PNG + 1)


def _bits_of_tiff(path: str) -> int:
    try:
        with Image.open(path) as picture:
            return max(picture.tag_v2.get(BITS_OF_TIFF, (1,)))
    except (OSError, AttributeError):  # a kind that only OpenCV knows
        return 16
