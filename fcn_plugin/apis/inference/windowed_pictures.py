"""Windows of a large picture, as a network takes them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from mmengine.dataset import pseudo_collate
from torch import Tensor
from torch.nn import functional

from ...geometry.tiles import Block
from ...utils.files import CannotWriteError
from ...utils.tiff_windows import TiffWindows
from .predictor import Predictor, Sample

WINDOW = "window.tif"


class WindowedPictures:
    """One picture, prepared as the network takes it, of which windows are read (:class:`.Pictures`).

    Args:
        predictor (Predictor): with the test pipeline and the data preprocessor.
        windows (TiffWindows): of the picture.
        folder (Path): for a window at a time; it is made, and removed by :meth:`close`.
    """

    def __init__(self, predictor: Predictor, windows: TiffWindows, folder: Path) -> None:
        self._predictor, self._windows, self._folder = predictor, windows, folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWriteError(folder, str(error.strerror)) from error
        preprocessor = predictor.model.data_preprocessor
        padding = getattr(preprocessor, "test_cfg", None) or {}
        if padding.get("size"):
            raise ValueError("model.data_preprocessor.test_cfg.size pads to one size: windows need size_divisor")
        divisor, self._pad_value = padding.get("size_divisor") or 1, getattr(preprocessor, "pad_val", 0)
        try:
            first = self._prepared(slice(0, min(1, windows.size[0])), slice(0, min(1, windows.size[1])))
        except BaseException:
            self.close()
            raise
        self.shape = (1, first.shape[1], *(-(-length // divisor) * divisor for length in windows.size))

    def __getitem__(self, place: tuple[slice, slice, slice, slice]) -> Tensor:
        """The pixels (1, C, h, w) of a window; what is behind the picture's end is padded."""
        rows, columns = inside(place[2:], self._windows.size)
        prepared = self._prepared(rows, columns)
        bottom, right = place[2].stop - rows.stop, place[3].stop - columns.stop
        return functional.pad(prepared, (0, right, 0, bottom), value=self._pad_value)

    def sample(self, rows: slice, columns: slice) -> Sample:
        """A window as the test pipeline reads it."""
        path = self._folder / WINDOW
        self._windows.write_window(path, rows, columns)
        try:
            return self._predictor.read(path)
        except ValueError as error:  # it tells of the picture, not of the window
            raise ValueError(str(error).replace(str(path), "the picture")) from error

    def _prepared(self, rows: slice, columns: slice) -> Tensor:
        data = pseudo_collate([self.sample(rows, columns).packed])
        inputs = self._predictor.model.data_preprocessor(data, False)["inputs"]
        return inputs[:, :, : rows.stop - rows.start, : columns.stop - columns.start]

    def close(self) -> None:
        """Remove the window's file."""
        shutil.rmtree(self._folder, ignore_errors=True)


def inside(block: Sequence[slice], size: tuple[int, int]) -> Block:
    """What of a block is inside of a picture of a size."""
    rows, columns = (slice(one.start, min(one.stop, length)) for one, length in zip(block, size))
    return rows, columns
