"""Mixed precision in bfloat16, on the CPU as on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BF16OptimWrapper(OptimWrapper):
    """An optimizer wrapper that runs the forward pass under bfloat16 autocast.

    The toolbox's AmpOptimWrapper refuses the CPU. bfloat16 has float32's range, so no loss scaling is needed, even for
    a loss summed over pixels. Parameters, gradients and optimizer state stay float32.

    Args:
        **kwargs: as for :class:`mmengine.optim.OptimWrapper`.
    """

    precision = "bfloat16"  #: the number format, as a checkpoint notes it

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter autocast around the forward pass."""
        with super().optim_context(model), torch.autocast(get_device(), torch.bfloat16):
            yield
