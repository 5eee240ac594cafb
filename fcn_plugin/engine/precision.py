"""The number format in which a config trains and tests."""

from __future__ import annotations

import torch
from mmengine.config import Config
from mmengine.device import get_device

PRECISIONS = ("auto", "float32", "bfloat16")


def computes_bfloat16() -> bool:
    """Whether the device at hand computes in bfloat16 itself; where that is emulated, it is slow."""
    if get_device() == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16", "arm_bf16"))


def set_precision(cfg: Config, amp: bool | None = None) -> str:
    """Make ``cfg`` train, validate and test in the precision that it asks for.

    ``cfg.precision`` is 'float32', 'bfloat16', or 'auto': bfloat16 if the device computes in it. bfloat16 is mixed
    precision: convolutions in bfloat16; weights, scores, losses and optimizer in float32. A config that says nothing is
    left as it is.

    Args:
        cfg (Config): changed in place; its optimizer wrapper must be the toolbox's plain one to be replaced.
        amp (bool, optional): True for mixed precision, False for float32, whatever ``cfg.precision`` says. On GPUs
            without bfloat16, it is the toolbox's float16 with loss scaling, in training only.

    Returns:
        str: the precision, for the log.

    Raises:
        ValueError: for another precision, or a wrapper that mixed precision does not go with.
    """
    wanted = cfg.get("precision", "float32")
    if wanted not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {wanted!r}")
    wrapper = cfg.get("optim_wrapper", {}).get("type", "OptimWrapper")
    if amp is None:
        amp = wanted == "bfloat16" or (wanted == "auto" and wrapper == "OptimWrapper" and computes_bfloat16())
    if not amp:
        return "float32" if wrapper == "OptimWrapper" else f"as {wrapper} has it"
    if wrapper not in ("OptimWrapper", "BF16OptimWrapper", "AmpOptimWrapper"):
        raise ValueError(f"mixed precision works with optim_wrapper.type='OptimWrapper', got {wrapper!r}")
    if get_device() == "cuda" and not torch.cuda.is_bf16_supported():
        if wrapper == "OptimWrapper" and "optim_wrapper" in cfg:
            cfg.optim_wrapper.update(type="AmpOptimWrapper", loss_scale="dynamic")
            if cfg.optim_wrapper.get("optimizer", {}).get("type") == "SGD":
                cfg.optim_wrapper.optimizer.pop("fused", None)  # its momentum takes in gradients that overflowed
        return "float16 in training, float32 in validation (this GPU has no bfloat16)"
    if wrapper == "OptimWrapper" and "optim_wrapper" in cfg:
        cfg.optim_wrapper.type = "BF16OptimWrapper"
    torch.set_autocast_dtype(get_device(), torch.bfloat16)  # for the toolbox's loops
    for loop in ("val_cfg", "test_cfg"):
        if cfg.get(loop):
            cfg[loop].fp16 = True  # the toolbox's name for autocast
    return "bfloat16 (scores, loss and weights in float32)"
