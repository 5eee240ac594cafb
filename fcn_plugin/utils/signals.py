"""SIGTERM, by which queues and other programs end a process, and SIGINT (Ctrl-C)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType


def exit_code(number: int) -> int:
    """The exit code of a process that a signal has ended, as shells give it: 143 for SIGTERM, 130 for SIGINT."""
    return 128 + number


def end_at_once(number: int, frame: FrameType | None) -> None:
    """Handle a signal: leave through all ``finally`` blocks, which the default for SIGTERM does not."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(exit_code(number))


@contextmanager
def handled(handlers: Mapping[int, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    """Handle signals for the time of the block, in the main thread: as far as nobody else handles or ignores them.

    Args:
        handlers (Mapping[int, Callable]): by number of the signal.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        free = (signal.SIG_DFL, signal.default_int_handler, end_at_once)
        before = {number: signal.getsignal(number) for number in handlers if signal.getsignal(number) in free}
    try:
        for number in before:
            signal.signal(number, handlers[number])
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
