"""Writing TIFFs in compressed tiles, without ever holding the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import numpy as np

from .files import CannotWriteError, atomic_write

TILE = 256  #: pixels of a side
#: From so many bytes on, before compression, files are BigTIFFs: the offsets of others end at 4 GiB.
BIG = 3 << 30


@contextmanager
def saying_no_room(path: Path) -> Iterator[None]:
    """Say in a sentence that a TIFF cannot be written: NumPy, which writes the pixels, does not tell why.

    Raises:
        CannotWriteError: if it cannot.
    """
    try:
        yield
    except OSError as error:
        raise CannotWriteError(path, error.strerror or f"no room on the disk ({error})") from error


def write_tiled(
    path: Path,
    shape: tuple[int, int, int],
    dtype: np.dtype,
    read: Callable[[int, slice], np.ndarray],
    palette: Sequence[Sequence[int]] | None = None,
    colour: bool = False,
    geo_tags: Sequence[tuple] = (),
    software: str | None = None,
) -> None:
    """Write a TIFF, whole or not at all, in tiles compressed by zlib; its bytes depend on nothing but what is given.

    Args:
        path (Path): the file; its directories are made.
        shape (tuple[int, int, int]): bands, height and width.
        dtype (np.dtype): of the values.
        read (Callable): rows (h, W) of a band, by its number and their slice.
        palette (Sequence[Sequence[int]], optional): RGB of the values from 0 on, of one band, uint8.
        colour (bool): three bands are red, green and blue.
        geo_tags (Sequence[tuple]): where it lies, see :data:`.tiff_windows.GEO_TAGS`.
        software (str, optional): what is said in the file of how it was made.

    Raises:
        CannotWriteError: if it cannot be written.
    """
    import tifffile

    bands, height, width = shape
    kind: dict = dict(photometric="rgb" if colour else "minisblack", planarconfig="contig" if colour else "separate")
    if bands == 1:
        kind.pop("planarconfig")
    if palette is not None:
        colours = np.zeros((3, 256), np.uint16)
        colours[:, : len(palette)] = np.array(palette, np.uint16).T * 257
        kind = dict(photometric="palette", colormap=colours)
    outer = (height, width, 3) if colour else (height, width) if bands == 1 else shape
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        atomic_write(path) as partial,
        saying_no_room(path),
        tifffile.TiffWriter(partial, bigtiff=np.prod(shape, dtype=np.int64) * np.dtype(dtype).itemsize >= BIG) as file,
    ):
        file.write(
            _tiles(shape, read, colour),
            shape=outer,
            dtype=dtype,
            tile=(TILE, TILE),
            compression="zlib",
            maxworkers=1,
            metadata=None,
            software=software or "fcn_plugin",
            extratags=list(geo_tags),
            **kind,
        )


def _tiles(shape: tuple[int, int, int], read: Callable[[int, slice], np.ndarray], colour: bool) -> Iterator[np.ndarray]:
    bands, height, width = shape
    for planes, top in product([range(bands)] if colour else [[band] for band in range(bands)], range(0, height, TILE)):
        rows = np.stack([read(plane, slice(top, min(top + TILE, height))) for plane in planes], axis=-1)
        for left in range(0, width, TILE):
            part = rows[:, left : left + TILE]
            tile = np.zeros((TILE, TILE, len(planes)), part.dtype)
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile if colour else tile[..., 0]
