"""The most memory that a computation needs at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from .torch_versions import tree_leaves


class PeakMemory(TorchDispatchMode):
    """While entered, the peak of what all tensors made since then take together, on any device.

    It counts the same on a CPU as on a GPU: tensors, each memory once, until it is freed. The scratch memory of
    convolutions is not in it, nor what a caching allocator keeps.

    Attributes:
        peak (int): bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive: dict[StorageWeakRef, int] = {}  # bytes

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Call ``func`` and count what it makes."""
        result = func(*args, **(kwargs or {}))
        made = _storages(result)
        # what torch.tensor and torch.from_numpy make is first seen as the argument of lift_fresh
        given = {} if func is torch.ops.aten.lift_fresh.default else _storages((args, kwargs))
        self._alive.update({StorageWeakRef(made[key]): made[key].nbytes() for key in made.keys() - given.keys()})
        self.peak = max(self.peak, self.current)
        return result

    @property
    def current(self) -> int:
        """Bytes of what is alive."""
        self._alive = {memory: size for memory, size in self._alive.items() if not memory.expired()}
        return sum(self._alive.values())


def _storages(values: Any) -> dict[int, torch.UntypedStorage]:
    """The memories of all tensors in nested containers, by their addresses."""
    storages = (value.untyped_storage() for value in tree_leaves(values) if isinstance(value, Tensor))
    return {storage._cdata: storage for storage in storages}
