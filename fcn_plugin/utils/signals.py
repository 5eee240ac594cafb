"""SIGTERM, by which queues and other programs end a process, and SIGINT (Ctrl-C)."""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], None]
#: What handles the signals that :func:`handled` handles at present, outside of it.
_outside: dict[int, Handler | int] = {}


def exit_code(number: int) -> int:
    """The exit code of a process that a signal has ended, as shells give it: 143 for SIGTERM, 130 for SIGINT."""
    return 128 + number


def end_at_once(number: int, frame: FrameType | None) -> None:
    """Handle a signal: leave through all ``finally`` blocks, which the default for SIGTERM does not."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(exit_code(number))


@contextmanager
def handled(handlers: Mapping[int, Handler]) -> Iterator[None]:
    """Handle signals for the time of the block, in the main thread: as far as nobody else handles or ignores them.

    Processes that are forked meanwhile do not handle them: pools end their workers by SIGTERM, wherever they are.

    Args:
        handlers (Mapping[int, Callable]): by number of the signal.
    """
    before: dict[int, Handler | int] = {}
    if threading.current_thread() is threading.main_thread():
        free = (signal.SIG_DFL, signal.default_int_handler, end_at_once)
        before = {number: signal.getsignal(number) for number in handlers if signal.getsignal(number) in free}
    outside = dict(_outside)
    try:
        for number, handler in before.items():
            _outside.setdefault(number, handler)
            signal.signal(number, handlers[number])
        _reset_in_forked_processes()
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _outside.clear()
        _outside.update(outside)


@functools.cache  # once for all
def _reset_in_forked_processes() -> None:
    if not hasattr(os, "register_at_fork"):
        return
    masks: list[set[int]] = []

    def hold_back() -> None:  # a signal that a child got before its reset would be lost
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, _outside))

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop())

    def reset() -> None:
        for number, handler in _outside.items():
            signal.signal(number, handler)
        release()

    os.register_at_fork(before=hold_back, after_in_parent=release, after_in_child=reset)
