"""Work on many things at once, with a bar where it takes long."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO, TypeVar

from rich.console import Console
from rich.progress import Progress

AFTER = 3.0  #: seconds after which a progress bar appears
T, R = TypeVar("T"), TypeVar("R")


def in_threads(
    function: Callable[[T], R], items: Sequence[T], description: str, terminal: TextIO | None = None
) -> Iterator[R]:
    """Call a function that releases Python's lock with each item, in as many threads as there are processors.

    Args:
        function (Callable): what it raises ends the work.
        items (Sequence): what to call it with.
        description (str): in front of the bar.
        terminal (TextIO, optional): where the bar is shown, by default stderr.

    Yields:
        what the function returns, in order.
    """
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pool, start, shown = ThreadPoolExecutor(threads), time.monotonic(), False
    progress = Progress(console=Console(file=terminal or sys.stderr))
    task = progress.add_task(description, total=len(items))
    try:
        for result in pool.map(function, items):
            if not shown and time.monotonic() - start > AFTER:
                progress.start()
                shown = True
            progress.advance(task)
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
        if shown:
            progress.stop()
