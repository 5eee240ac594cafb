"""Files of masks, read as one number per pixel whatever kind of picture they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from ...utils.images import frames_of
from ..transforms.load_labels import LabelPicture, encode_colours


@dataclass(frozen=True)
class MaskPicture:
    """A mask as it is stored.

    Attributes:
        codes: a number for each pixel, int32 (H, W): its value or index, or the colour as 0xRRGGBB.
        is_colour: whether they are colours.
        palette: of a palette picture, the colour of each index that occurs, as 0xRRGGBB.
        lossy: whether the format changes values.
        one_bit: whether it has bits, of which 1 is white.
    """

    codes: np.ndarray
    is_colour: bool
    palette: dict[int, int] = field(default_factory=dict)
    lossy: bool = False
    one_bit: bool = False

    def colours(self) -> np.ndarray:
        """The colours of the pixels as they are shown, 0xRRGGBB, int32 (H, W)."""
        if self.is_colour:
            return self.codes
        if self.one_bit:
            return self.codes * 0xFFFFFF
        if not self.palette:
            return self.codes.clip(0, 255) * 0x010101
        table = np.zeros(256, np.int32)
        table[list(self.palette)] = list(self.palette.values())
        return table[self.codes]


def read_mask(path: Path) -> MaskPicture:
    """Read a mask: of 1, 8, 16 or 32 bits, whole numbers or floats that are whole, of a palette or of colours.

    Transparency that is the same everywhere is dropped. Transparent pixels of others are black; where it alone
    differs, it is the mask.

    Raises:
        ValueError: for what is no such picture.
    """
    try:
        number, frames = frames_of(path)
        if number > 1:
            raise ValueError(f"it has {number} {frames}, expected one")
        try:
            with Image.open(path) as picture:
                return _of_pillow(picture)
        except UnidentifiedImageError:
            return _of_array(_read_otherwise(path))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # Pillow has all for damaged ones
        raise ValueError(f"the mask {path} cannot be read: {error}") from error


def _of_pillow(picture: Image.Image) -> MaskPicture:
    bands, lossy = picture.getbands(), picture.format == "JPEG"
    if bands[0] == "P":
        indices = np.array(picture.getchannel(0) if len(bands) > 1 else picture)
        colours = LabelPicture.of(picture, indices).colours
        codes = {index: int(encode_colours(np.array(colour))) for index, colour in colours.items()}
        return MaskPicture(indices.astype(np.int32), False, codes, lossy)
    if bands[-1] in ("A", "a"):
        plain = np.array(picture.convert("RGB"))
        return _of_array(_without_transparency(plain, np.array(picture.getchannel(len(bands) - 1))), lossy)
    return _of_array(np.array(picture if len(bands) == 1 else picture.convert("RGB")), lossy)


def _of_array(values: np.ndarray, lossy: bool = False) -> MaskPicture:
    """A mask of one band (H, W), or of RGB (H, W, 3)."""
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim == 3 and values.shape[2] == 3 and values.dtype == np.uint8:
        return MaskPicture(encode_colours(values), True, lossy=lossy)
    if values.ndim != 2:
        raise ValueError(
            f"it is {values.dtype} of shape {values.shape}, expected one number or an RGB colour per pixel"
        )
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        raise ValueError(f"its values are no whole numbers: {np.nanmin(values):g} to {np.nanmax(values):g}")
    if values.dtype.kind not in "bui" and np.abs(values).max() >= 1 << 31:
        raise ValueError(f"its values go up to {values.max():g}, expected indices of classes")
    return MaskPicture(values.astype(np.int32), False, lossy=lossy, one_bit=values.dtype == bool)


def _without_transparency(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3) of a picture with transparency (H, W)."""
    one_colour = bool((colours == colours[:1, :1]).all())
    if alpha.min() == alpha.max() and (alpha.max() or not one_colour):
        return colours
    if one_colour:
        return np.repeat(alpha[..., None], 3, axis=2)
    return np.where(alpha[..., None] == 0, 0, colours).astype(np.uint8)


def _read_otherwise(path: Path) -> np.ndarray:
    """What Pillow does not know, such as TIFF of 64 bits."""
    content = np.fromfile(path, np.uint8)
    values = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if values is None:
        try:
            import tifffile
        except ImportError:
            raise ValueError("it is damaged, or of a format that neither Pillow nor OpenCV knows") from None
        try:
            return tifffile.imread(path)
        except tifffile.TiffFileError:
            raise ValueError("it is damaged, or no picture") from None
    return values[..., 2::-1] if values.ndim == 3 else values


def count_values(codes: np.ndarray) -> dict[int, int]:
    """How often each number occurs; fast where most neighbours are the same, as in masks.

    Args:
        codes (np.ndarray): int32, of any shape.
    """
    codes = codes.ravel()
    if not codes.size:
        return {}
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    values, places = np.unique(codes[starts], return_inverse=True)
    counts = np.bincount(places.ravel(), weights=np.diff(starts, append=codes.size))
    return dict(zip(values.tolist(), counts.astype(int).tolist()))


def count_flat(codes: np.ndarray) -> dict[int, int]:
    """How often each number occurs in squares of 2 x 2 equal pixels: classes have areas, edges and noise have none.

    Args:
        codes (np.ndarray): int32 (H, W).
    """
    corner = codes[1:, 1:]
    flat = (corner == codes[:-1, 1:]) & (corner == codes[1:, :-1]) & (corner == codes[:-1, :-1])
    return count_values(corner[flat])
