"""Facts about image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

ORIENTATION = 0x0112  #: EXIF tag; 1 is upright, 5 to 8 exchange width and height

JPEG = b"\xff\xd8\xff"  #: how a JPEG begins
START_OF_SCAN = b"\xff\xda"
LONGEST_SEGMENT = 1 << 16  #: of a JPEG, in bytes
ORIENTED = (b"Exif", b"ns.adobe.com")  #: segments that may hold an orientation
ENDS = (1, 99)  #: percentiles of a band that are shown as black and as bright as can be
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


def size_of(path: str) -> tuple[int, int] | None:
    """Width and height of a picture as it is shown, from its header; None if it does not tell."""
    try:
        with Image.open(path) as picture:
            turned = picture.getexif().get(ORIENTATION, 1) >= 5
            return picture.size[::-1] if turned else picture.size
    except OSError:  # not there, in another storage, or of another format; UnidentifiedImageError is one
        return _size_of_bands(path)


def _size_of_bands(path: str) -> tuple[int, int] | None:
    """Width and height of an array, and of a TIFF of bands that PIL does not know."""
    try:
        if Path(path).suffix == ".npy":
            height, width = np.load(path, mmap_mode="r").shape[:2]
            return width, height
        import tifffile

        with tifffile.TiffFile(path) as file:
            return file.pages[0].imagewidth, file.pages[0].imagelength
    except Exception:  # it is not there, or damaged, or its package is not installed
        return None


def as_picture(image: np.ndarray, shown: Sequence[int] | None = None) -> np.ndarray:
    """An image of any channels and values as a picture to look at: BGR, uint8 (H, W, 3).

    Grey becomes colour, and of more than three channels the first three are shown. Values that are none of 0..255, or
    only of 0..1, are stretched from their lowest to their highest; of bands that were chosen, each by itself, without
    a hundredth of its pixels at both ends.

    Args:
        image (np.ndarray): (H, W) or (H, W, C), of any type.
        shown (Sequence[int], optional): the bands to show as red, green and blue, or one for grey; by default the
            first three as blue, green and red.
    """
    image = image if image.ndim == 3 else image[..., None]
    if shown is not None:
        image = image[..., list(shown)[::-1]]
    image = image[..., :3] if image.shape[2] > 2 else np.repeat(image[..., :1], 3, axis=2)
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    image = np.nan_to_num(image.astype(np.float32), posinf=0, neginf=0)
    lowest, highest = image.min(), image.max()
    if lowest < -0.5 or highest > 255.5 or 0.01 < highest < 1.01:
        if shown is not None:
            lowest, highest = np.percentile(image, ENDS, axis=(0, 1)).astype(np.float32)
        image = (image - lowest) * (255 / np.maximum(highest - lowest, 1e-30))
    return image.round().clip(0, 255).astype(np.uint8)


#: Formats with several frames or pages, and what these are called. The second picture of a photo (MPO) is a preview.
SEVERAL = {"GIF": "frames", "PNG": "frames", "WEBP": "frames", "TIFF": "pages"}


def frames_of(path: str | Path) -> tuple[int, str]:
    """How many frames or pages a picture has, and what they are called; 1 if nothing tells."""
    try:
        with Image.open(path) as picture:
            kind = SEVERAL.get(picture.format)
            return (picture.n_frames, kind) if kind else (1, "frames")
    except Exception:  # whatever PIL makes of a format that only OpenCV knows
        return 1, "frames"


def why_unreadable(path: str | Path) -> str:
    """What to say of a local picture that the toolbox, which reads by OpenCV, has given up."""
    try:
        content = np.fromfile(path, np.uint8)
        values = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
        if values is not None and values.dtype not in (np.uint8, np.uint16):
            return (
                f"its values are {values.dtype} from {values.min():g} to {values.max():g}, where pictures have 8 or 16"
                " bits: convert it as the pictures that the network was trained on"
            )
        with Image.open(path) as picture:
            picture.load()
            return f"OpenCV {cv2.__version__} does not read this {picture.format} ({picture.mode}): convert it to PNG"
    except Exception:  # PIL has many kinds for what is damaged
        return "truncated, or no picture that can be read"


def count_values(picture: np.ndarray) -> dict[int, int]:
    """Number of pixels of each value that occurs in a picture of one band, (H, W), of whole numbers, in order."""
    if picture.dtype == np.uint8 and picture.size < MAX_FLOAT32:  # OpenCV is fast, but counts in float32
        counts = cv2.calcHist([picture], [0], None, [256], [0, 256]).ravel()
        values = np.flatnonzero(counts)
        return dict(zip(values.tolist(), counts[values].astype(int).tolist()))
    values, counts = np.unique(picture, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist()))
