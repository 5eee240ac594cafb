"""A large picture's prediction while it is made: a process that is killed leaves what is finished, to go on with."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...geometry.tiles import Block
from ...utils.files import NO_ROOM, CannotWriteError

JOURNAL = "journal"


class Plane(NamedTuple):
    """What is kept of one kind of output."""

    bands: int
    dtype: np.dtype


class PartialPrediction:
    """Values of the blocks that are computed, in a folder, and a journal of which they are.

    The values lie uncompressed at their places in files of their full size. A block is noted in the journal when its
    values are on the disk, so that what is noted is true whenever the process ends; a line without its end is none.

    Args:
        folder (Path): of this prediction alone; what is in it of other settings is removed.
        settings (Mapping): all that the values depend on, as texts, numbers or lists.
        size (tuple[int, int]): height and width of the picture.
        planes (Mapping[str, Plane]): the outputs, by their names.

    Attributes:
        done (set[tuple[int, ...]]): the blocks that are finished: first row, behind the last row, and their columns.
        changed (list[str]): names of the settings that were others in what was removed.
        kept (int): how many blocks were found.

    Raises:
        CannotWriteError: here and later, if there is no room, or the folder cannot be written.
    """

    def __init__(self, folder: Path, settings: Mapping, size: tuple[int, int], planes: Mapping[str, Plane]) -> None:
        self.folder, self.size, self.planes = folder, size, planes
        self._files: dict[str, int] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)
        except OSError as error:
            raise self._cannot_write(error) from error
        found, lines = read_journal(folder)
        self.changed = [] if found is None else [key for key in settings if found.get(key) != settings[key]]
        self.done: set[tuple[int, ...]] = set()
        if found is not None and not self.changed:
            self.done = {tuple(map(int, line.split())) for line in lines}
        self.kept = len(self.done)
        try:
            if found is None or self.changed:
                try:
                    self._begin(settings)
                except OSError:
                    shutil.rmtree(folder, ignore_errors=True)  # what was taken of a full disk
                    raise
            self._files = {name: os.open(folder / f"{name}.raw", os.O_RDWR) for name in planes}
            self._journal = open(folder / JOURNAL, "r+b")
            content = self._journal.read()
            self._journal.seek(content.rfind(b"\n") + 1)  # over a line that was not ended
            self._journal.truncate()
        except OSError as error:
            self.close()
            raise self._cannot_write(error) from error

    def _begin(self, settings: Mapping) -> None:
        """An empty folder, with the journal last: without it, there is nothing to go on with."""
        for path in sorted(self.folder.iterdir(), key=lambda path: path.name != JOURNAL):
            path.unlink()
        for name, (bands, dtype) in self.planes.items():
            with open(self.folder / f"{name}.raw", "wb") as file:
                length = bands * self.size[0] * self.size[1] * np.dtype(dtype).itemsize
                if hasattr(os, "posix_fallocate"):  # says now that there is no room
                    os.posix_fallocate(file.fileno(), 0, length)
                file.truncate(length)
        beginning = self.folder / f"{JOURNAL}.begun"
        beginning.write_text(json.dumps(settings) + "\n")
        os.replace(beginning, self.folder / JOURNAL)

    def write(self, block: Block, values: Mapping[str, np.ndarray]) -> None:
        """Keep the values (B, h, w) of a block, of each output."""
        rows, columns = block
        try:
            for name, (bands, dtype) in self.planes.items():
                image = np.ascontiguousarray(values[name], dtype)
                for band in range(bands):
                    for row in range(rows.start, rows.stop):
                        _write_at(
                            self._files[name],
                            image[band, row - rows.start].tobytes(),
                            self._place(name, band, row, columns.start),
                        )
                os.fsync(self._files[name])
            self._journal.write(f"{rows.start} {rows.stop} {columns.start} {columns.stop}\n".encode())
            self._journal.flush()
        except OSError as error:
            raise self._cannot_write(error) from error
        self.done.add((rows.start, rows.stop, columns.start, columns.stop))

    def read(self, name: str, band: int, rows: slice) -> np.ndarray:
        """Rows (h, W) of a band of an output."""
        dtype, width = np.dtype(self.planes[name].dtype), self.size[1]
        length = (rows.stop - rows.start) * width * dtype.itemsize
        content = os.pread(self._files[name], length, self._place(name, band, rows.start, 0))
        return np.frombuffer(content, dtype).reshape(-1, width)

    def _place(self, name: str, band: int, row: int, column: int) -> int:
        height, width = self.size
        return ((band * height + row) * width + column) * np.dtype(self.planes[name].dtype).itemsize

    def close(self) -> None:
        """Close the files, to go on later."""
        for number in self._files.values():
            os.close(number)
        self._files = {}
        if hasattr(self, "_journal"):
            self._journal.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Remove all, when it is not needed any more, and close."""
        (self.folder / JOURNAL).unlink()  # first: what is left without it is begun anew
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def _cannot_write(self, error: OSError) -> OSError:
        if error.errno not in NO_ROOM:
            return error
        finished = "" if not self.done else "; finished windows are kept: make room, and give the command again"
        return CannotWriteError(self.folder, f"{error.strerror}{finished}")


def read_journal(folder: Path) -> tuple[dict | None, list[str]]:
    """The settings that a folder was begun with, None for no such folder, and its lines of finished blocks."""
    try:
        content = (folder / JOURNAL).read_text()
        first, *lines = content[: content.rfind("\n") + 1].splitlines()
        return json.loads(first), lines
    except (OSError, ValueError):
        return None, []


def _lock(folder: Path) -> int | None:
    """Keep a folder for this process, until it ends or closes what this gives.

    Raises:
        CannotWriteError: if another process has it.
    """
    if not find_spec("fcntl"):
        return None
    import fcntl

    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(number)
        raise CannotWriteError(folder, "another process is predicting this picture") from error
    return number


def _write_at(file: int, content: bytes, place: int) -> None:
    while content:
        written = os.pwrite(file, content, place)
        content, place = content[written:], place + written
