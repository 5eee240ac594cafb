"""Facts about image files."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

ORIENTATION = 0x0112  #: EXIF tag; 1 is upright, 5 to 8 exchange width and height

JPEG = b"\xff\xd8\xff"  #: how a JPEG begins
START_OF_SCAN = b"\xff\xda"
LONGEST_SEGMENT = 1 << 16  #: of a JPEG, in bytes
ORIENTED = (b"Exif", b"ns.adobe.com")  #: segments that may hold an orientation
MAX_FLOAT32 = 1 << 24  #: up to which float32 has all whole numbers


def is_remote(path: str) -> bool:
    """Whether a path belongs to another storage than the file system."""
    return "://" in path


def orientation_of(path: str) -> int:
    """EXIF orientation of a picture, 1 if it has none."""
    if is_remote(path):
        return 1
    try:
        with open(path, "rb") as file:
            start = file.read(LONGEST_SEGMENT)
        if start.startswith(JPEG) and START_OF_SCAN in start and not any(name in start for name in ORIENTED):
            return 1  # a parser takes longer
        with Image.open(path) as picture:
            return picture.getexif().get(ORIENTATION, 1)
    except (OSError, UnidentifiedImageError):  # a format that only OpenCV knows
        return 1


def count_values(picture: np.ndarray) -> dict[int, int]:
    """Number of pixels of each value that occurs in a picture of one band, (H, W), of whole numbers, in order."""
    if picture.dtype == np.uint8 and picture.size < MAX_FLOAT32:  # OpenCV is fast, but counts in float32
        counts = cv2.calcHist([picture], [0], None, [256], [0, 256]).ravel()
        values = np.flatnonzero(counts)
        return dict(zip(values.tolist(), counts[values].astype(int).tolist()))
    values, counts = np.unique(picture, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist()))
