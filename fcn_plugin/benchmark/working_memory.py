"""The memory that a training step needs beside parameters, gradients and the optimizer's state."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import ExitStack

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ..paper.peak_memory import PeakMemory


class WorkingMemory(PeakMemory):
    """A :class:`PeakMemory` that leaves tensors out of the peak from their beginning on, even if told so later.

    It notes when which memory was made and freed, and computes the peak from that.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sizes: list[int] = []
        self._events: list[int] = []  # numbers of memories as they are made, their complements as they are freed
        self._numbers: dict[int, int] = {}  # of memories that are alive, by their addresses
        self._left_out: set[int] = set()

    def _count(self, storage: torch.UntypedStorage) -> None:
        super()._count(storage)
        key, number = storage._cdata, len(self._sizes)
        self._sizes.append(storage.nbytes())
        self._events.append(number)
        self._numbers[key] = number
        weakref.finalize(storage, self._free, key, number)

    def _free(self, key: int, number: int) -> None:
        self._events.append(~number)
        if self._numbers.get(key) == number:
            del self._numbers[key]

    def leave_out(self, tensors: Iterable[Tensor]) -> None:
        """Leave the memories of tensors out of the working peak; those made before are not in it anyway."""
        keys = {tensor.untyped_storage()._cdata for tensor in tensors}
        self._left_out.update(self._numbers[key] for key in keys if key in self._numbers)

    @property
    def working_peak(self) -> int:
        """The peak without what was left out, in bytes."""
        current = peak = 0
        for event in self._events:
            number = max(event, ~event)
            if number not in self._left_out:
                current += self._sizes[number] if event == number else -self._sizes[number]
                peak = max(peak, current)
        return peak


def step_memory(step: Callable[[], object], model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Peak of the tensors that a training step makes, without parameters, their gradients and the optimizer's state.

    Gradients are those that are a parameter's ``grad``, from their making on; a gradient in another number format, from
    which it is converted, counts.

    Args:
        step (Callable): forward and backward pass, and step of the optimizer. It has run once before, so that the
            optimizer has its state.
        model (nn.Module): whose parameters are trained.
        optimizer (torch.optim.Optimizer): by which they are.

    Returns:
        int: bytes.
    """
    parameters = list(model.parameters())
    memory = WorkingMemory()

    def leave_out(*_: object) -> None:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        state = [leaf for leaf in tree_leaves(list(optimizer.state.values())) if isinstance(leaf, Tensor)]
        memory.leave_out([*parameters, *gradients, *state])

    with ExitStack() as hooks:
        for parameter in parameters:
            if parameter.requires_grad:
                hook = parameter.register_post_accumulate_grad_hook(lambda one: memory.leave_out([one.grad]))
                hooks.callback(hook.remove)
        # also what was not accumulated by autograd, or replaced since
        hooks.callback(optimizer.register_step_pre_hook(leave_out).remove)
        hooks.callback(optimizer.register_step_post_hook(leave_out).remove)
        with memory:
            step()
    return memory.working_peak
