"""Work on many files at once, what is missing of them, and labels."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from mmengine.utils import track_progress_rich
from PIL import Image

from ...utils.files import atomic_write

log = functools.partial(print_log, logger="current")  #: where the preparations report to if they are not told


def check_arguments(root: Path, workers: int) -> None:
    """Check what all preparations are given.

    Raises:
        ValueError: if ``root`` is a file, or there is no worker.
    """
    if root.exists() and not root.is_dir():
        raise ValueError(f"{root} is a file: give a directory")
    if workers < 1:
        raise ValueError(f"expected 1 worker or more, got {workers}")


def raise_problems(problems: Iterable[str], prefix: str = "") -> None:
    """Raise a ValueError of all problems, if there are any."""
    if text := "; ".join(problems):
        raise ValueError(prefix + text)


def missing_files(folder: Path, names: Sequence[str], suffix: str) -> list[str]:
    """The names of which ``folder`` has no file NAME + ``suffix``, or an empty one."""
    there: set[str] = set()
    if folder.is_dir():
        with os.scandir(folder) as entries:
            there = {entry.name for entry in entries if entry.stat().st_size}
    return [name for name in names if name + suffix not in there]


def remove_partial_files(root: Path) -> None:
    """Remove what killed processes left where they wrote with :func:`fcn_plugin.utils.files.atomic_write`."""
    for partial in root.rglob(".*.part"):
        partial.unlink(missing_ok=True)


def for_each(function: Callable[[str], None], names: Sequence[str], workers: int, description: str) -> None:
    """Call a function, which can be pickled, with each name in several processes, with a progress bar."""
    if names:
        track_progress_rich(function, names, nproc=workers, chunksize=8, description=description)


def write_label(
    path: Path, label: np.ndarray, source: Path, size: tuple[int, int], values: np.ndarray, palette: np.ndarray
) -> None:
    """Write a label as a palette PNG.

    Args:
        path (Path): of the PNG.
        label (np.ndarray): uint8 (H, W).
        source (Path): the file that it comes from, for messages.
        size (tuple[int, int]): width and height that it must have.
        values (np.ndarray): what to write for each of its values, uint8 (C,).
        palette (np.ndarray): uint8 (256, 3): with fewer colours, Pillow would store the labels in too few bits for 255.

    Raises:
        ValueError: if it is not such a label.
    """
    if label.ndim != 2 or label.dtype != np.uint8 or label.max() >= len(values):
        raise ValueError(f"{source} is no label: {label.dtype} {label.shape}, values up to {label.max()}")
    if label.shape[::-1] != size:
        raise ValueError(f"{source} is {label.shape[::-1]} pixels large, expected {size}")
    png = Image.fromarray(values[label])
    png.putpalette(palette.tobytes())
    with atomic_write(path) as partial:
        png.save(partial, format="PNG")
