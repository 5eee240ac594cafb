"""Pictures of any number of bands and of all their bits: PNG, JPEG and the like, TIFF, and arrays of NumPy.

Of three bands, they are in the order blue, green, red, as everywhere in the toolbox. Any other number of bands is in
the order of the file: red, green, blue, near infrared of a common satellite picture stay so.
"""

from __future__ import annotations

import io
import os
from importlib.util import find_spec
from typing import NamedTuple

import cv2
import numpy as np
from mmengine import fileio
from PIL import Image

from .images import JPEG
from .text import first_line

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  #: how TIFFs begin, the last two large ones
NUMPY = b"\x93NUMPY"
#: Kinds of TIFFs, as Pillow names them, and compressions (none, LZW, JPEG, two of zlib, PackBits) that OpenCV reads. Of
#: others it reads, without a word, one band for four, eight bits for sixteen, or noise.
MODES_OF_OPENCV = {"1", "L", "P", "RGB", "I;16", "I;16B", "F"}
COMPRESSIONS_OF_OPENCV = {1, 5, 7, 8, 32946, 32773}
COMPRESSION, SAMPLES, PLANAR = 259, 277, 284  #: tags of a TIFF: how it is compressed, its bands, 2 for bands first
INSTALL = 'run `pip install "fcn_plugin[tiff]"`'


class PictureFacts(NamedTuple):
    """What a picture is, as :func:`read_bands` reads it."""

    height: int  #: in pixels
    width: int  #: in pixels
    bands: int
    bits: int  #: of each value: 8, 16, 32 or 64


def describe_picture(path: str | os.PathLike, pages: bool = False) -> PictureFacts:
    """Height, width, bands and bits of a picture; it is read, as headers do not tell what a decoder makes of it.

    Raises:
        OSError, ValueError: as :func:`read_bands`.
    """
    image = read_bands(path, pages)
    return PictureFacts(*image.shape, 8 * image.dtype.itemsize)


def read_bands(path: str | os.PathLike, pages: bool = False) -> np.ndarray:
    """Read all bands and bits of a picture.

    Args:
        path (str | os.PathLike): a file, as the toolbox's storages know it.
        pages (bool): the pages of a TIFF are its bands; by default, the first page alone is read.

    Returns:
        np.ndarray: (H, W, N), of the type of the file; of one bit per pixel, uint8 of 0 and 255.

    Raises:
        OSError: if there is no such file.
        ValueError: if it cannot be read; naming the package that is missing, if one is.
    """
    try:
        return decode_bands(fileio.get(os.fspath(path)), pages)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def decode_bands(content: bytes, pages: bool = False) -> np.ndarray:
    """A picture from the content of its file, as :func:`read_bands`."""
    if content.startswith(NUMPY):
        image = _by_numpy(content)
    elif content.startswith(TIFF) and (pages or not _is_of_opencv(content)):
        image = _by_tifffile(content, pages)
    else:
        image = _by_opencv(content)
    if image.dtype == bool:
        image = image.astype(np.uint8) * 255
    if image.dtype.kind not in "uif" or not image.size:
        raise ValueError(f"no picture: values of {image.dtype}, {'x'.join(map(str, image.shape))}")
    return image if image.ndim == 3 else image[..., None]


def _by_numpy(content: bytes) -> np.ndarray:
    try:
        image = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"truncated, or no array of numbers ({first_line(error)})") from error
    if image.ndim not in (2, 3):
        raise ValueError(f"expected an array (height, width) or (height, width, bands), got {image.shape}")
    return image


def _is_of_opencv(content: bytes) -> bool:
    """Whether OpenCV reads all of the first page of a TIFF."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            tags, bands = picture.tag_v2, 3 if picture.mode == "RGB" else 1
            fits = tags.get(SAMPLES, 1) == bands and (bands == 1 or tags.get(PLANAR, 1) == 1)
            return fits and picture.mode in MODES_OF_OPENCV and tags.get(COMPRESSION, 1) in COMPRESSIONS_OF_OPENCV
    except Exception:  # of kinds that Pillow does not know, it says so by many errors
        return False


def _by_opencv(content: bytes) -> np.ndarray:
    """A picture of one to four bands; what OpenCV does not know, by Pillow."""
    # a JPEG is turned as its EXIF orientation says; it has no transparency, which other flags leave out
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH if content.startswith(JPEG) else cv2.IMREAD_UNCHANGED
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    except cv2.error:
        image = None
    if image is None:
        return _by_pillow(content)
    return image[..., [2, 1, 0, 3]] if image.ndim == 3 and image.shape[2] == 4 else image  # as in the file


def _by_pillow(content: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content)) as picture:
            image = np.asarray(picture.convert("RGB") if picture.mode in ("P", "PA") else picture)
    except Exception as error:  # Pillow has many kinds for what is damaged
        raise ValueError("truncated, or no picture that can be read") from error
    return image[..., ::-1] if image.ndim == 3 and image.shape[2] == 3 else image


def _by_tifffile(content: bytes, pages: bool) -> np.ndarray:
    if find_spec("tifffile") is None:
        raise ValueError(f"a TIFF of several bands, pages or other values than OpenCV reads: {INSTALL}")
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            source = file.series[0] if pages else file.pages[0]
            image, axes = source.asarray(), source.axes
    except Exception as error:  # of the decoders, and of what is cut off
        reason = first_line(error)
        remedy = f": {INSTALL}" if "imagecodecs" in reason else ""
        raise ValueError(f"truncated, or a TIFF that cannot be read ({reason}){remedy}") from error
    rows, columns = axes.index("Y"), axes.index("X")
    image = np.moveaxis(image, (rows, columns), (0, 1)).reshape(image.shape[rows], image.shape[columns], -1)
    return image[..., ::-1] if image.shape[2] == 3 and not pages else image
