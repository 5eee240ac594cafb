"""Several processes, also on machines without a GPU."""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import torch
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.utils.dl_utils import set_multi_processing
from torch import distributed

T = TypeVar("T")
PATIENCE = 5.0  #: seconds for which the other processes let the first one say what is wrong


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
        atexit.register(_leave_process_group)
    cfg.model_wrapper_cfg = dict(
        type="MMDistributedDataParallel",
        device_ids=None,
        broadcast_buffers=False,
        gradient_as_bucket_view=True,  # gradients are summed where they are: no copies of 500 MB
    )


def _leave_process_group() -> None:
    # a thread of gloo that still holds a tensor when Python is gone aborts the process, whose work is done
    if distributed.is_initialized():
        distributed.destroy_process_group()


def is_first_process() -> bool:
    """Whether this is the first of the launched processes; known before they have joined each other."""
    ranks = (os.environ.get(name) for name in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"))
    return next((int(rank) for rank in ranks if rank), 0) == 0


def run_in_first_process(check: Callable[[], T], cfg: Config) -> T:
    """Run a check that may take long in the first process only; the others wait for it, without a GPU.

    Returns:
        T: in all processes, what the check returns, which must be picklable.

    Raises:
        Exception: in the first process, what the check raises.
        SystemExit: in the others, if it raises anything.
    """
    if cfg.get("launcher", "none") == "none":
        return check()
    if not distributed.is_initialized():  # as the Runner does it
        environment = cfg.get("env_cfg") or {}
        set_multi_processing(**environment.get("mp_cfg", {}), distributed=True)
        init_dist(cfg.launcher, **environment.get("dist_cfg", {}))
    group = distributed.new_group(backend="gloo", timeout=timedelta(days=1))
    error, outcome = None, [True, None]  # whether it failed, and what it returned
    if distributed.get_rank() == 0:
        try:
            outcome = [False, check()]
        except Exception as caught:
            error = caught
    distributed.broadcast_object_list(outcome, src=0, group=group, device=torch.device("cpu"))
    distributed.destroy_process_group(group)
    if error:
        raise error
    failed, result = outcome
    if failed:
        time.sleep(PATIENCE)  # launchers end all processes when one fails
        raise SystemExit(1)
    return result
