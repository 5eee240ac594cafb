"""Facts about image files."""

from __future__ import annotations

import numpy as np
from PIL import Image, UnidentifiedImageError

ORIENTATION = 0x0112  #: EXIF tag; 1 is upright, 5 to 8 exchange width and height


def is_remote(path: str) -> bool:
    """Whether a path belongs to another storage than the file system."""
    return "://" in path


def orientation_of(path: str) -> int:
    """EXIF orientation of a picture, 1 if it has none."""
    if is_remote(path):
        return 1
    try:
        with Image.open(path) as picture:
            return picture.getexif().get(ORIENTATION, 1)
    except (OSError, UnidentifiedImageError):  # a format that only OpenCV knows
        return 1


def as_picture(image: np.ndarray) -> np.ndarray:
    """An image of any channels and values as a picture to look at: BGR, uint8 (H, W, 3).

    Grey becomes colour, and of more than three channels the first three are shown. Values that are none of 0..255, or
    only of 0..1, are stretched from their lowest to their highest.

    Args:
        image (np.ndarray): (H, W) or (H, W, C), of any type.
    """
    image = image if image.ndim == 3 else image[..., None]
    image = image[..., :3] if image.shape[2] > 2 else np.repeat(image[..., :1], 3, axis=2)
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    image = np.nan_to_num(image.astype(np.float32), posinf=0, neginf=0)
    lowest, highest = image.min(), image.max()
    if lowest < -0.5 or highest > 255.5 or 0.01 < highest < 1.01:
        image = (image - lowest) * (255 / max(highest - lowest, np.finfo(np.float32).tiny))
    return image.round().clip(0, 255).astype(np.uint8)
