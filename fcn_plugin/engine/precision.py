"""The number format in which a config trains and tests."""

from __future__ import annotations

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.runner import BaseLoop, Runner
from mmseg.registry import OPTIM_WRAPPERS, OPTIMIZERS
from torch.optim import SGD

from ..utils.config import class_of
from ..utils.torch_versions import cpu_computes_bfloat16, get_autocast_dtype, set_autocast_dtype
from .bf16_optim_wrapper import BF16OptimWrapper

PRECISIONS = ("auto", "float32", "bfloat16")


def computes_bfloat16() -> bool:
    """Whether the device at hand computes in bfloat16 itself; where that is emulated, it is slow."""
    if get_device() == "cuda":
        return bool(torch.version.hip) or torch.cuda.get_device_capability() >= (8, 0)
    return get_device() == "cpu" and cpu_computes_bfloat16()


def set_precision(cfg: Config) -> str:
    """Make ``cfg`` train, validate and test in the precision that it asks for.

    ``cfg.precision`` is 'float32', 'bfloat16', or 'auto': bfloat16 if the device computes in it. bfloat16 is mixed
    precision: convolutions in bfloat16; weights, scores, losses and optimizer in float32. On GPUs without bfloat16, it
    is the toolbox's float16 with loss scaling, in training only. The toolbox's AmpOptimWrapper (``--amp`` of its own
    tools) asks for the same, unless it is given another ``dtype``. A config that says nothing is left as it is.

    Args:
        cfg (Config): changed in place; its optimizer wrapper must be the toolbox's plain one to be replaced.

    Returns:
        str: the precision, for the log.

    Raises:
        ValueError: for another precision, or a wrapper that mixed precision does not go with.
    """
    wanted = cfg.get("precision", "float32")
    if wanted not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {wanted!r}")
    settings = cfg.get("optim_wrapper") or {}
    wrapper = class_of({"type": "OptimWrapper", **settings}, OPTIM_WRAPPERS)
    replaceable = wrapper in (OptimWrapper, BF16OptimWrapper) or (
        wrapper is AmpOptimWrapper and settings.get("dtype") in (None, "bfloat16")
    )
    if wanted == "bfloat16" and not replaceable:
        raise ValueError(f"mixed precision works with optim_wrapper.type='OptimWrapper', got {settings['type']!r}")
    if not replaceable:
        return f"as {settings['type']} has it"
    if wrapper is OptimWrapper and not (wanted == "bfloat16" or (wanted == "auto" and computes_bfloat16())):
        return "float32"
    device = get_device()
    if device not in ("cpu", "cuda"):
        raise ValueError(f"mixed precision is for CPUs and CUDA, not for {device}: set precision='float32', no --amp")
    if device == "cuda" and not torch.cuda.is_bf16_supported():
        if settings:
            settings.update(type="AmpOptimWrapper", loss_scale=settings.get("loss_scale", "dynamic"))
            optimizer = settings.get("optimizer") or {}
            if class_of(optimizer, OPTIMIZERS) is SGD:
                optimizer.pop("fused", None)  # its momentum takes in gradients that overflowed
        return "float16 in training, float32 in validation (this GPU has no bfloat16)"
    if settings:
        settings.type = "BF16OptimWrapper"
        for key in ("loss_scale", "dtype"):  # of the toolbox's wrapper
            settings.pop(key, None)
    set_autocast_dtype(device, torch.bfloat16)  # for the toolbox's loops
    for loop in ("val_cfg", "test_cfg"):
        if cfg.get(loop):
            cfg[loop].fp16 = True  # the toolbox's name for autocast
    return "bfloat16 (scores, loss and weights in float32)"


def precision_in_use(runner: Runner) -> str:
    """The number format in which a runner that has been started computes: 'float32', 'bfloat16' or 'float16'."""
    if isinstance(runner._train_loop, BaseLoop):
        wrapper = runner.optim_wrapper
        if isinstance(wrapper, BF16OptimWrapper):
            return "bfloat16"
        if isinstance(wrapper, AmpOptimWrapper):
            return str(wrapper.cast_dtype or torch.float16).removeprefix("torch.")
        return "float32"
    loops = (runner._val_loop, runner._test_loop)
    mixed = any(isinstance(loop, BaseLoop) and getattr(loop, "fp16", False) for loop in loops)
    return str(get_autocast_dtype(get_device())).removeprefix("torch.") if mixed else "float32"
