"""What is measured, and what of it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..checks.model import check_geometry
from ..utils.config import read_config
from .model import network_config, optim_wrapper_config
from .peer import check_same_network, peer_class_of

#: Number formats by the names of the command line.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Setting:
    """What all sides of a benchmark have in common.

    Attributes:
        config: path of the config.
        shape: height and width of the images, in pixels.
        batch: images in a batch.
        device: ``cpu`` or ``cuda``.
        threads: of every side; None for PyTorch's default.
        width: multiplier of the config's channels.
        seed: of weights, images and labels.
        peer: name of the implementation to compare with; None for none.
        peer_keeps_memory: let the peer's process keep freed memory, as ours does.
    """

    config: str
    shape: tuple[int, int] = (375, 500)
    batch: int = 1
    device: str = "cpu"
    threads: int | None = None
    width: float = 1.0
    seed: int = 0
    peer: str | None = None
    peer_keeps_memory: bool = False

    @property
    def peer_side(self) -> str | None:
        """Name of the peer's side, which is in float32; None without a peer."""
        return f"{self.peer} fp32" if self.peer else None


def has_bf16(device: str) -> bool:
    """Whether a device computes in bfloat16 by itself."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def check_setting(setting: Setting, dtypes: Sequence[str] | None = None) -> list[str]:
    """Refuse what cannot be measured, before any process is started.

    Args:
        setting (Setting): what to measure.
        dtypes (Sequence[str], optional): keys of ``DTYPES``; by default all that the device has.

    Returns:
        list[str]: the number formats to measure, each once.

    Raises:
        FileNotFoundError: if there is no such config.
        ValueError: for values out of range, a device or a number format that is not there, a config that cannot be
            built or trained, or a peer that is not installed or has no such network.
    """
    if min(*setting.shape, setting.batch) < 1:
        raise ValueError(
            f"height, width and batch must be 1 or more, got {setting.shape[0]}, {setting.shape[1]}, {setting.batch}"
        )
    if setting.threads is not None and setting.threads < 1:
        raise ValueError(f"the number of threads must be 1 or more, got {setting.threads}")
    if setting.width <= 0:
        raise ValueError(f"the width must be more than 0, got {setting.width}")
    if setting.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device: use --device cpu")
    if dtypes is None:
        dtypes = ["fp32", "bf16"] if has_bf16(setting.device) else ["fp32"]
    elif "bf16" in dtypes and not has_bf16(setting.device):
        raise ValueError(f"this {setting.device} device does not compute in bfloat16: use --dtype fp32")
    cfg = read_config(setting.config)
    cfg.model = network_config(cfg.model, setting.width)
    check_geometry(cfg)
    for dtype in dtypes:
        optim_wrapper_config(cfg, dtype)
    if setting.peer:
        if setting.width != 1:
            raise ValueError(f"{setting.peer} has one width: leave out --width {setting.width:g}, or --peer")
        check_same_network(cfg, peer_class_of(cfg))
    return list(dict.fromkeys(dtypes))
