"""A side in a process of its own, which functions are called with from here."""

import logging
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

CONTEXT = multiprocessing.get_context("spawn")
_side: object = None  # of the process


class SideProcess:
    """Makes a side in a new process on the first call; what fails there is a RuntimeError that names the side."""

    def __init__(self, name: str, make: Callable, *args: object) -> None:
        self.name, self.made_by, self.executor = name, (make, args), ProcessPoolExecutor(1, CONTEXT)

    def call(self, function: Callable, *args: object) -> object:
        """Wait for ``function(side, *args)`` there."""
        try:
            return self.executor.submit(_call, *self.made_by, function, args).result()
        except BrokenProcessPool:
            raise RuntimeError(f"the process of {self.name} was killed: the memory may not suffice") from None
        except Exception as error:
            raise RuntimeError(f"{self.name}: {type(error).__name__}: {error}") from error


def _call(make: Callable, made_with: tuple, function: Callable, args: tuple) -> object:
    global _side
    logging.disable(logging.WARNING)  # what the toolbox logs of every parameter
    _side = _side or make(*made_with)
    return function(_side, *args)
