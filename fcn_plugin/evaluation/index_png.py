"""Labels and predictions as pictures of class indices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..utils.files import atomic_write

MAX_PNG_CLASSES = 256  #: that a PNG of class indices can hold


def check_number_of_classes(number: int, reduce_zero_label: bool = False) -> None:
    """Check that PNGs of class indices can hold that many classes.

    Raises:
        ValueError: if they cannot.
    """
    most = MAX_PNG_CLASSES - reduce_zero_label
    if number > most:
        raise ValueError(f"PNGs of class indices hold {most} classes, got {number}")


def write_indices(
    path: str | Path, indices: np.ndarray, palette: Sequence[Sequence[int]] | None, reduce_zero_label: bool = False
) -> None:
    """Write class indices as a palette PNG, with the indices that the data set has in its own files.

    Args:
        path (str | Path): the file, whole or not there; its directories are made.
        indices (np.ndarray): of a network's classes, integers (H, W).
        palette (Sequence[Sequence[int]], optional): RGB of each class; without, the PNG is grey.
        reduce_zero_label (bool): that of the data set, whose files then have the first class as 1, and 0 for what is
            no class.
    """
    path, shift = Path(path), int(reduce_zero_label)
    picture = Image.fromarray((indices + shift).astype(np.uint8))
    if palette is not None:
        picture.putpalette(np.array([*[[0, 0, 0]] * shift, *palette], np.uint8).tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        picture.save(partial, format="PNG")


def read_indices(path: str | Path, reduce_zero_label: bool = False) -> np.ndarray:
    """Read a greyscale or palette PNG of class indices: those of a network's classes, uint8 (H, W).

    Args:
        path (str | Path): the file.
        reduce_zero_label (bool): as in :func:`write_indices`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it has colours in place of indices, an index 0 that is no class, or cannot be read.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode not in ("L", "P"):
                raise ValueError(f"{path} is a picture of mode {picture.mode}, expected class indices (mode L or P)")
            indices = np.array(picture)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError) as error:  # PIL has both for a damaged PNG
        raise ValueError(f"{path} cannot be read as an index PNG: {error}") from error
    if reduce_zero_label and not indices.all():
        raise ValueError(
            f"{path} has the index 0, but the first class of a data set with reduce_zero_label is 1: write it with"
            " tools/test.py --out or tools/infer.py"
        )
    return indices - int(reduce_zero_label)
