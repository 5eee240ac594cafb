"""Reading the pictures of a new data set, of any format, and writing those that must change."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ...utils.files import atomic_write
from ...utils.images import orientation_of, why_unreadable

#: By format, as Pillow names it, the suffix of its files. A photo of a phone with a preview in it (MPO) is a JPEG.
SUFFIXES = {
    "BMP": ".bmp",
    "JPEG": ".jpg",
    "JPEG2000": ".jp2",
    "MPO": ".jpg",
    "PNG": ".png",
    "PPM": ".ppm",
    "TIFF": ".tif",
    "WEBP": ".webp",
}
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: What turns a picture upright, by its EXIF orientation.
UPRIGHT = {
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: np.rot90,
}


def usual_suffix(path: Path) -> str | None:
    """The usual suffix of a picture's format, by its content; None if the toolbox does not read it everywhere."""
    with path.open("rb") as file:
        if file.read(4) in TIFF_STARTS:  # of which Pillow does not know all
            return ".tif"
    try:
        with Image.open(path) as picture:
            return SUFFIXES.get(picture.format)
    except OSError:
        return None


def read_picture(path: Path) -> np.ndarray:
    """Read a picture as it is stored, not turned: uint8 or uint16 (H, W, bands), colours as red, green, blue.

    Raises:
        ValueError: saying why it cannot be read.
    """
    content = np.fromfile(path, np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if image is None:
        image = _read_by_pillow(path)
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{path}: {why_unreadable(path)}")
    if image.ndim == 2:
        return image[..., None]
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _read_by_pillow(path: Path) -> np.ndarray | None:
    """What OpenCV would give of a picture that it does not know, such as a GIF; None if Pillow does not know it."""
    try:
        with Image.open(path) as picture:
            mode = "L" if picture.mode in ("1", "L") else "RGB"
            return np.ascontiguousarray(np.array(picture.convert(mode))[..., ::-1] if mode == "RGB" else picture)
    except Exception:  # Pillow has many kinds for what is damaged
        return None


def write_png(path: Path, source: Path, image: np.ndarray) -> None:
    """Write a picture that was read from a file as a PNG, upright, without loss.

    Raises:
        ValueError: if a PNG cannot hold its bands.
    """
    bands = image.shape[2]
    if bands not in (1, 3, 4):
        raise ValueError(f"{source}: it has {bands} bands, which no PNG holds: save all pictures in one format")
    turn = UPRIGHT.get(orientation_of(str(source)))
    image = np.ascontiguousarray(turn(image) if turn else image)
    if bands > 1:
        image = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA if bands == 4 else cv2.COLOR_RGB2BGR)
    with atomic_write(path) as partial:
        partial.write_bytes(cv2.imencode(".png", image)[1].tobytes())
