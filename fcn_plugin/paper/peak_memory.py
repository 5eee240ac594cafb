"""The most memory that a computation needs at a time."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..utils.torch_versions import tree_leaves


class PeakMemory(TorchDispatchMode):
    """While entered, the peak of what all tensors made since then take together, on any device.

    It counts the same on a CPU as on a GPU: tensors, each memory once, until it is freed. The scratch memory of
    convolutions is not in it, nor what a caching allocator keeps.

    Attributes:
        peak (int): bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self.current = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Call ``func`` and count what it makes."""
        result = func(*args, **(kwargs or {}))
        made = _storages(result)
        # what torch.tensor and torch.from_numpy make is first seen as the argument of lift_fresh
        given = {} if func is torch.ops.aten.lift_fresh.default else _storages((args, kwargs))
        for key in made.keys() - given.keys():
            self._count(made[key])
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self.current += size
        self.peak = max(self.peak, self.current)
        weakref.finalize(storage, self._forget, size)

    def _forget(self, size: int) -> None:
        self.current -= size


def _storages(values: Any) -> dict[int, torch.UntypedStorage]:
    """The memories of all tensors in nested containers, by their addresses."""
    storages = (value.untyped_storage() for value in tree_leaves(values) if isinstance(value, Tensor))
    return {storage._cdata: storage for storage in storages}
