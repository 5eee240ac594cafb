"""Work on many things at once, with a bar where it takes long."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import TextIO, TypeVar

from rich.console import Console
from rich.progress import Progress

AFTER = 3.0  #: seconds after which a progress bar appears
T, R = TypeVar("T"), TypeVar("R")


def in_threads(
    function: Callable[[T], R], items: Sequence[T], description: str, terminal: TextIO | None = None
) -> Iterator[R]:
    """Call a function that releases Python's lock with each item, in as many threads as there are processors.

    What is interrupted ends at once: an executor of the standard library may wait for ever then, as a signal can break
    off its taking on of work with a lock in its hands.

    Args:
        function (Callable): what it raises ends the work.
        items (Sequence): what to call it with.
        description (str): in front of the bar.
        terminal (TextIO, optional): where the bar is shown, by default stderr.

    Yields:
        what the function returns, in order.
    """
    results: SimpleQueue[tuple[int, R | None, BaseException | None]] = SimpleQueue()
    rest = iter(range(len(items)))  # of which each thread takes the next
    ended = False

    def work() -> None:
        for index in rest:
            if ended:
                return
            try:
                results.put((index, function(items[index]), None))
            except BaseException as error:  # for the thread that waits for the results
                results.put((index, None, error))
                return

    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = [Thread(target=work, daemon=True) for _ in range(min(processors, len(items)))]
    start, shown, early = time.monotonic(), False, {}
    progress = Progress(console=Console(file=terminal or sys.stderr))
    task = progress.add_task(description, total=len(items))
    try:
        for thread in threads:
            thread.start()
        for index in range(len(items)):
            while index not in early:
                number, result, error = results.get()
                if error is not None:
                    raise error
                early[number] = result
                if not shown and time.monotonic() - start > AFTER:
                    progress.start()
                    shown = True
                progress.advance(task)
            yield early.pop(index)
    finally:
        ended = True
        for thread in threads:
            if thread.is_alive():
                thread.join()
        if shown:
            progress.stop()
