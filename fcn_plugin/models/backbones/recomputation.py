"""Activation checkpointing that leaves the statistics of norm layers as they are without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...utils.torch_versions import is_compiling


def recomputed(function: Callable[[Tensor], Tensor], x: Tensor, module: nn.Module, **options) -> Tensor:
    """Call a function without keeping its activations: they are computed again in the backward pass.

    Args:
        function (Callable[[Tensor], Tensor]): layers of a module.
        x (Tensor): its input.
        module (nn.Module): what it calls layers of. Its running statistics are updated once, by the first pass.
        **options: as for :func:`torch.utils.checkpoint.checkpoint`.
    """
    if any(True for _ in module.buffers()) and not is_compiling():  # which has no such effects twice
        options["context_fn"] = lambda: (nullcontext(), buffers_kept(module))
    return checkpoint(function, x, use_reentrant=False, **options)


@contextmanager
def buffers_kept(module: nn.Module) -> Iterator[None]:
    """Let a module use copies of its buffers inside the block."""
    kept = [(layer, *item) for layer in module.modules() for item in layer.named_buffers(recurse=False)]
    for layer, name, buffer in kept:
        setattr(layer, name, buffer.clone())
    try:
        yield
    finally:
        for layer, name, buffer in kept:
            setattr(layer, name, buffer)
