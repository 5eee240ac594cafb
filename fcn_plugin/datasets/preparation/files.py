"""Work on many files at once, and what is missing of them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.logging import print_log
from mmengine.utils import track_progress_rich

log = functools.partial(print_log, logger="current")  #: where the preparations report to if they are not told


def remove_partial_files(*folders: Path) -> None:
    """Remove what killed processes left where they wrote with :func:`fcn_plugin.files.atomic_write`."""
    for folder in folders:
        for partial in folder.glob(".*.part"):
            partial.unlink(missing_ok=True)


def for_each(function: Callable[[str], None], names: Sequence[str], workers: int, description: str) -> None:
    """Call a function with each name in several processes, with a progress bar.

    Args:
        function (Callable): can be pickled.
        names (Sequence[str]): may be empty.
        workers (int): number of processes, >= 1.
        description (str): what the progress bar says.
    """
    if names:
        chunk = max(1, min(16, len(names) // (4 * workers)))
        track_progress_rich(function, names, nproc=workers, chunksize=chunk, description=description)


def missing_files(folder: Path, names: Sequence[str], suffix: str) -> list[str]:
    """The names of which ``folder`` has no file NAME + ``suffix``, or an empty one."""
    there: set[str] = set()
    if folder.is_dir():
        with os.scandir(folder) as entries:
            there = {entry.name for entry in entries if entry.stat().st_size}
    return [name for name in names if name + suffix not in there]
