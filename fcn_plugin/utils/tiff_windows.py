"""Windows of TIFFs that are larger than the memory."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from .bands import INSTALL, TIFF
from .text import first_line
from .tiled_tiff import saying_no_room

#: Tags that say where on the earth a picture lies (GeoTIFF): the size of its pixels, a point, a matrix, and the
#: coordinate system with its numbers and texts.
GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)
ORIENTATION = 274
CACHE = 1 << 26  #: bytes of decoded blocks that are kept, as windows overlap


class NoWindowsError(ValueError):
    """A picture of which no windows can be read, though it may be read as a whole."""


def is_tiff(path: str | os.PathLike) -> bool:
    """Whether a file is a TIFF, by its content."""
    try:
        with open(path, "rb") as file:
            return file.read(4).startswith(TIFF)
    except OSError:
        return False


class TiffWindows:
    """A TIFF of which windows are read: its strips or tiles that hold them, or parts of rows where none is compressed.

    Args:
        path (str | os.PathLike): the file.
        pages (bool): the pages are bands; by default, the first page alone is read.

    Attributes:
        size (tuple[int, int]): height and width in pixels.
        bits (int): of each value.
        pages (int): how many there are, without smaller copies and masks.
        geo_tags (list[tuple]): those of :data:`GEO_TAGS` that it has, as tifffile takes ``extratags``.
        block (int): bytes of the strips or tiles when they are decoded, which bound the memory.

    Raises:
        NoWindowsError: if its kind cannot be read by windows.
        ValueError: if it is truncated, or misses blocks.
    """

    def __init__(self, path: str | os.PathLike, pages: bool = False) -> None:
        if find_spec("tifffile") is None:
            raise NoWindowsError(f"windows of TIFFs need a package: {INSTALL}")
        import tifffile

        self.path = Path(path)
        try:
            self._file = tifffile.TiffFile(self.path)
            all_pages = list(self._file.pages)
            first = all_pages[0]
            self.size, self.bits = (first.imagelength, first.imagewidth), first.bitspersample
            whole = [page for page in all_pages if not page.subfiletype and page.shape[:2] == first.shape[:2]]
            self.pages, self._pages = len(whole) or 1, whole if pages and whole else [first]
            self.geo_tags = _geo_tags(first)
            turned = ORIENTATION in first.tags and first.tags[ORIENTATION].value != 1
        except Exception as error:  # of many kinds, for what is damaged
            raise ValueError(f"truncated, or a TIFF that cannot be read ({first_line(error)})") from error
        if turned or self.bits not in (8, 16, 32, 64) or first.imagedepth != 1 or first.dtype is None:
            raise NoWindowsError(f"windows of turned pictures, and of {self.bits} bits or in 3D, are not read")
        self.block = max(int(np.prod(page.chunks)) * page.dtype.itemsize for page in self._pages)
        if any(page.is_memmappable for page in self._pages):
            self.block = 0
        self._cache: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._check_blocks()

    def _check_blocks(self) -> None:
        length, missing, cut = self._file.filehandle.size, [], 0
        for page in self._pages:
            wanted = int(np.prod(page.chunked))
            sizes = list(zip(page.dataoffsets, page.databytecounts))
            sizes += [(0, 0)] * (wanted - len(sizes) if not page.is_memmappable else 0)
            missing += [index for index, (_, size) in enumerate(sizes) if not size]
            cut += sum(offset + size > length for offset, size in sizes)
        if missing:
            raise ValueError(
                f"{len(missing)} of its blocks {'is' if len(missing) == 1 else 'are'} missing, such as number"
                f" {missing[0]}, counted from 0: it was not written to its end"
            )
        if cut:
            raise ValueError(f"truncated: its file of {length} bytes ends before {cut} of its blocks")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, rows: slice, columns: slice) -> list[np.ndarray]:
        """The pixels of a window of each page, (h, w, bands), of the type of the file.

        Raises:
            ValueError: if a block cannot be decoded.
            OSError: if the file cannot be read any more.
        """
        return [self._read(number, rows, columns) for number in range(len(self._pages))]

    def write_window(self, path: Path, rows: slice, columns: slice) -> None:
        """Write a window as a TIFF of the same kind, which any reader takes as it takes the whole.

        Raises:
            ValueError, OSError: as :meth:`read`.
            CannotWriteError: if it cannot be written.
        """
        import tifffile

        images = self.read(rows, columns)
        with saying_no_room(path), tifffile.TiffWriter(path) as file:
            for page, image in zip(self._pages, images):
                file.write(image if image.shape[2] > 1 else image[..., 0], metadata=None, **_kind(page))

    def _read(self, number: int, rows: slice, columns: slice) -> np.ndarray:
        page = self._pages[number]
        shape = rows.stop - rows.start, columns.stop - columns.start, page.samplesperpixel
        window = np.empty(shape, page.dtype)
        if page.is_memmappable:
            self._read_rows(page, rows, columns, window)
            return window
        for index, (plane, top, left) in _places(page, rows, columns):
            block = self._block(number, index)
            bottom, right = (min(start + n, end) for start, n, end in zip((top, left), block.shape, self.size))
            up, down = max(top, rows.start), min(bottom, rows.stop)
            west, east = max(left, columns.start), min(right, columns.stop)
            bands = slice(plane, plane + block.shape[2])
            window[up - rows.start : down - rows.start, west - columns.start : east - columns.start, bands] = block[
                up - top : down - top, west - left : east - left
            ]
        return window

    def _read_rows(self, page: Any, rows: slice, columns: slice, window: np.ndarray) -> None:
        """Read parts of rows of a page that is not compressed."""
        planes, together = (window.shape[2], 1) if page.planarconfig == 2 else (1, window.shape[2])
        pixel = together * page.dtype.itemsize
        file, width = self._file.filehandle, self.size[1]
        kind = page.dtype.newbyteorder(page.parent.byteorder)
        for plane, row in product(range(planes), range(rows.start, rows.stop)):
            start = (plane * self.size[0] + row) * width + columns.start
            file.seek(page.dataoffsets[0] + start * pixel)
            values = np.frombuffer(file.read((columns.stop - columns.start) * pixel), kind)
            window[row - rows.start, :, plane : plane + together] = values.reshape(-1, together)

    def _block(self, number: int, index: int) -> np.ndarray:
        """A strip or tile, decoded: (h, w, bands)."""
        key, page = (number, index), self._pages[number]
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        file = self._file.filehandle
        file.seek(page.dataoffsets[index])
        content = file.read(page.databytecounts[index])
        try:
            block = page.decode(content, index, jpegtables=page.jpegtables)[0][0]
        except Exception as error:  # of the decoders
            remedy = f": {INSTALL}" if "imagecodecs" in first_line(error) else ""
            raise ValueError(f"block {index} cannot be decoded ({first_line(error)}){remedy}") from error
        self._cache[key] = block
        while len(self._cache) > 1 and sum(one.nbytes for one in self._cache.values()) > CACHE:
            self._cache.popitem(last=False)
        return block


def geo_tags_of(path: str | os.PathLike) -> list[tuple]:
    """Those of :data:`GEO_TAGS` that a picture has; none of other files than TIFFs."""
    if not is_tiff(path) or find_spec("tifffile") is None:
        return []
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            return _geo_tags(file.pages[0])
    except Exception:  # of many kinds, for what other readers take
        return []


def _geo_tags(page: Any) -> list[tuple]:
    tags = [page.tags[code] for code in GEO_TAGS if code in page.tags]
    return [(tag.code, int(tag.dtype), tag.count, tag.value, True) for tag in tags]


def _places(page: Any, rows: slice, columns: slice) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """The blocks that hold a window: their numbers, and their bands, rows and columns."""
    height, width = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    height = min(height, page.imagelength) if not page.is_tiled else height
    down, across = -(-page.imagelength // height), -(-page.imagewidth // width)
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    for plane, row, column in product(
        range(planes),
        range(rows.start // height, -(-rows.stop // height)),
        range(columns.start // width, -(-columns.stop // width)),
    ):
        yield (plane * down + row) * across + column, (plane, row * height, column * width)


def _kind(page: Any) -> dict:
    """How a window of a page is written."""
    photometric = page.photometric
    if photometric.name in ("YCBCR",):  # is decoded to colours
        return dict(photometric="rgb")
    kind = dict(photometric=photometric.name.lower())
    if page.samplesperpixel > 1:
        kind["planarconfig"] = "contig"
    if page.extrasamples:
        kind["extrasamples"] = [int(one) for one in page.extrasamples]
    if photometric.name == "PALETTE":
        kind["colormap"] = page.colormap
    return kind
