"""Reading the pictures of a new data set, of any format, and writing those that must change."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from ...utils.bands import NUMPY, TIFF, read_bands
from ...utils.files import atomic_write
from ...utils.images import JPEG, orientation_of

#: By format, as Pillow names it, the suffix of its files.
SUFFIXES = {"BMP": ".bmp", "JPEG2000": ".jp2", "PNG": ".png", "PPM": ".ppm", "WEBP": ".webp"}
STARTS = {JPEG: ".jpg", NUMPY: ".npy", **dict.fromkeys(TIFF, ".tif")}  #: of those of which Pillow does not know all
LONGEST_START = max(map(len, STARTS))
IN_PNG = {np.dtype(np.uint8), np.dtype(np.uint16)}


def usual_suffix(path: Path) -> str | None:
    """The usual suffix of a picture's format, by its content; None if it is not read alike everywhere.

    These are formats that not every version of OpenCV reads, such as GIF, and orientations of EXIF outside of JPEGs.
    """
    with path.open("rb") as file:
        start = file.read(LONGEST_START)
    suffix = next((suffix for begin, suffix in STARTS.items() if start.startswith(begin)), None)
    if suffix is None:
        try:
            with Image.open(path) as picture:
                suffix = SUFFIXES.get(picture.format)
        except OSError:
            return None
    return None if suffix != ".jpg" and orientation_of(str(path)) != 1 else suffix


def read_picture(path: Path) -> np.ndarray:
    """Read a picture as it is shown: (H, W, bands), as :func:`read_bands`.

    Raises:
        ValueError: saying why it cannot be read.
    """
    with path.open("rb") as file:
        is_jpeg = file.read(len(JPEG)) == JPEG
    if is_jpeg or orientation_of(str(path)) == 1:
        return read_bands(path)
    with Image.open(path) as picture:
        image = np.array(ImageOps.exif_transpose(picture.convert("RGB") if picture.mode == "P" else picture))
    image = image if image.ndim == 3 else image[..., None]
    return image[..., ::-1] if image.shape[2] == 3 else image


def write_png(path: Path, source: Path, image: np.ndarray) -> None:
    """Write a picture that was read from ``source`` as a PNG, without loss.

    Raises:
        ValueError: if a PNG cannot hold it.
    """
    bands = image.shape[2]
    if bands not in (1, 3, 4) or image.dtype not in IN_PNG:
        kind = f"{bands} bands of {image.dtype}"
        raise ValueError(f"{source} has {kind}, which no PNG holds: save all pictures in one format")
    image = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA) if bands == 4 else np.ascontiguousarray(image)
    with atomic_write(path) as partial:
        partial.write_bytes(cv2.imencode(".png", image)[1].tobytes())
