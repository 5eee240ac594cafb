"""Several processes, also on machines without a GPU."""

from __future__ import annotations

import os

import torch
from mmengine.config import Config
from torch import distributed


def set_up_distributed(cfg: Config) -> None:
    """Prepare ``cfg`` and the process group for several CPU processes; leaves GPU runs to mmengine.

    mmengine calls torch.cuda for any backend, so on the CPU the gloo group is opened here, before the Runner, and the
    model is wrapped without device ids.

    Raises:
        ValueError: for a launcher that cannot start CPU processes.
    """
    if cfg.get("launcher", "none") == "none" or torch.cuda.is_available():
        return
    if cfg.launcher != "pytorch":
        raise ValueError(f"without a GPU, --launcher must be 'pytorch' (tools/dist_train.sh), got {cfg.launcher!r}")
    if not distributed.is_initialized():
        distributed.init_process_group("gloo")
    cfg.model_wrapper_cfg = dict(type="MMDistributedDataParallel", device_ids=None, broadcast_buffers=False)


def is_first_process() -> bool:
    """Whether this is the first of the launched processes; known before they have joined each other."""
    ranks = (os.environ.get(name) for name in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"))
    return next((int(rank) for rank in ranks if rank), 0) == 0
