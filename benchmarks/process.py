"""An object in a process of its own, which functions are called with from here."""

import logging
import multiprocessing
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

CONTEXT = multiprocessing.get_context("spawn")


class SideProcess:
    """Makes an object, the side, in a new process that ends with this one; errors name the side."""

    def __init__(self, name: str, make: Callable, *args: object) -> None:
        self.name = name
        self._connection, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_serve, args=(theirs, make, args), daemon=True)
        self.process.start()
        theirs.close()

    def call(self, function: Callable, *args: object) -> object:
        """Wait for ``function(side, *args)`` there; raises RuntimeError if it fails, or if its process has ended."""
        try:
            with suppress(OSError):  # it ended, perhaps with an answer
                self._connection.send((function, args))
            failed, value = self._connection.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            raise RuntimeError(f"the process of {self.name} {how}: the memory may not suffice") from None
        if failed:
            raise RuntimeError(f"{self.name}: {value}")
        return value


def _serve(connection: Connection, make: Callable, args: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    logging.disable(logging.WARNING)  # what the toolbox logs of every parameter
    try:
        side = make(*args)
        while True:
            function, args = connection.recv()
            connection.send((False, function(side, *args)))
    except (EOFError, ConnectionError):
        return  # the parent ended
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        known = reason and isinstance(error, (ValueError, FileNotFoundError))  # these say what to do
        connection.send((True, reason if known else f"{type(error).__name__}: {reason}"))
