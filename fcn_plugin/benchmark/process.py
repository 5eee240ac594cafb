"""An object in a process of its own, whose methods are called from here."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext


class SideError(RuntimeError):
    """Raised if a side's process failed or ended, naming the side."""


class SideProcess:
    """Makes an object in a new process, and calls its methods there.

    The process ends with this one, however this one ends.

    Args:
        name (str): what to call it in errors.
        make (Callable): makes the object; it can be pickled.
        context (BaseContext, optional): how the process is started, by default afresh (``spawn``).
        environment (Mapping, optional): variables of its environment.

    Raises:
        SideError: by any call, if the process failed or ended.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], object],
        context: BaseContext | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        context = context or multiprocessing.get_context("spawn")
        self.name = name
        self._connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, make), name=name, daemon=True)
        with _environment(environment or {}):
            self.process.start()
        theirs.close()

    def wait_until_ready(self) -> None:
        """Wait for the object to be made."""
        self._answer()

    def call(self, method: str, *args: object) -> object:
        """Call a method of the object, and wait for what it returns."""
        try:
            self._connection.send((method, args))
        except OSError:
            pass  # it ended; the answer is missing
        return self._answer()

    def _answer(self) -> object:
        wait([self._connection, self.process.sentinel])
        try:
            answered, value = self._connection.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            hint = ": the memory may not suffice" if code == -signal.SIGKILL else ""
            raise SideError(f"the process of {self.name} {how}{hint}") from None
        if not answered:
            raise SideError(f"{self.name}: {value}")
        return value

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextmanager
def side_processes(
    makers: Mapping[str, Callable[[], object]],
    context: BaseContext | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[dict[str, SideProcess]]:
    """Start a process for each maker, and end them all at the end, however it comes."""
    with ExitStack() as stack:
        sides = {}
        for name, make in makers.items():
            sides[name] = SideProcess(name, make, context, environment)
            stack.callback(sides[name].close)
        for side in sides.values():
            side.wait_until_ready()
        yield sides


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _serve(connection: Connection, make: Callable[[], object]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    logging.disable(logging.WARNING)  # what the toolbox logs of every parameter
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        try:
            target = make()
            connection.send((True, None))
            while True:
                method, args = connection.recv()
                connection.send((True, getattr(target, method)(*args)))
        except (EOFError, ConnectionError):
            return
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            known = isinstance(error, (ValueError, FileNotFoundError))  # these say what to do
            connection.send((False, reason if known and reason else f"{type(error).__name__}: {reason}"))
    except ConnectionError:
        return


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
