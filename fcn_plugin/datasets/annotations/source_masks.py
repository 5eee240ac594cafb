"""Pictures of a source that are masks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from .source import Source


@contextmanager
def open_mask(source: Source, name: str) -> Iterator[Image.Image]:
    """Open a mask in a folder or a zip.

    Raises:
        ValueError: if it cannot be read, in the block as well.
    """
    try:
        with Image.open(io.BytesIO(source.read(name)) if source.zipped else source.file(name)) as picture:
            yield picture
    except UnidentifiedImageError as error:
        raise ValueError(f"the mask {source.where(name)} cannot be read: it is no picture") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # whatever Pillow has for damage
        raise ValueError(f"the mask {source.where(name)} cannot be read: {error}") from error


def mask_size(source: Source, name: str) -> tuple[int, int]:
    """(height, width) of a mask."""
    with open_mask(source, name) as picture:
        return picture.height, picture.width
