"""Facts about image files."""

from __future__ import annotations

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


def size_of(path: str) -> tuple[int, int] | None:
    """Width and height of a picture as it is shown, from its header; None if PIL cannot tell."""
    try:
        with Image.open(path) as picture:
            turned = picture.getexif().get(ORIENTATION, 1) >= 5
            return picture.size[::-1] if turned else picture.size
    except OSError:  # not there, in another storage, or of another format; UnidentifiedImageError is one
        return None
