"""Mixed precision in bfloat16, on the CPU as on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.config import Config
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

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter autocast around the forward pass."""
        with super().optim_context(model), torch.autocast(get_device(), torch.bfloat16):
            yield


def enable_amp(cfg: Config) -> None:
    """Turn on mixed precision in ``cfg``: bfloat16 where the device has it, else the toolbox's float16.

    Raises:
        ValueError: if the config has another optimizer wrapper than the plain one.
    """
    wrapper = cfg.optim_wrapper.get("type", "OptimWrapper")
    if wrapper in ("BF16OptimWrapper", "AmpOptimWrapper"):
        return
    if wrapper != "OptimWrapper":
        raise ValueError(f"--amp works with optim_wrapper.type='OptimWrapper', got {wrapper!r}")
    if get_device() != "cuda" or torch.cuda.is_bf16_supported():
        cfg.optim_wrapper.type = "BF16OptimWrapper"
    else:
        cfg.optim_wrapper.update(type="AmpOptimWrapper", loss_scale="dynamic")
