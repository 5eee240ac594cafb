"""Several processes, also on machines without a GPU."""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import NoReturn, TypeVar

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import init_dist
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS
from mmengine.utils.dl_utils import set_multi_processing
from torch import distributed

from ..utils.config import class_of

#: The variable by which a launcher tells a process its number.
RANKS = dict(pytorch="RANK", slurm="SLURM_PROCID", mpi="OMPI_COMM_WORLD_RANK")
T = TypeVar("T")
PATIENCE = 5.0  #: seconds for which the other processes let the first one say what is wrong


def set_up_distributed(cfg: Config) -> None:
    """Prepare ``cfg`` for several processes, as the device asks for; opens the group of CPU processes.

    mmengine calls torch.cuda for any backend, so on the CPU the gloo group is opened here, before the Runner, and the
    model is wrapped without device ids. GPUs' group is left to mmengine: by nccl, or gloo where that is not in PyTorch,
    as on Windows.

    Raises:
        ValueError: for a launcher that cannot start such processes, or did not start this one.
    """
    launcher = cfg.get("launcher", "none")
    if launcher == "none":
        return
    _leave_process_group_at_exit()
    device = get_device()
    if device == "mps":
        raise ValueError(f"several processes work on CUDA and on CPUs, not on {device}: leave out --launcher")
    if device == "cpu" and launcher != "pytorch":
        raise ValueError(f"without a GPU, --launcher must be 'pytorch' (tools/dist_train.sh), got {launcher!r}")
    if (rank := RANKS.get(launcher)) and rank not in os.environ:
        script = "tools/slurm_train.sh" if launcher == "slurm" else "torchrun or tools/dist_train.sh"
        raise ValueError(f"--launcher {launcher}: {rank} is not set: start it with {script}")
    if device != "cpu":
        backend = (cfg.get("env_cfg") or {}).get("dist_cfg", {}).get("backend", "nccl")
        if backend == "nccl" and not distributed.is_nccl_available():
            cfg.merge_from_dict({"env_cfg.dist_cfg.backend": "gloo"})
        return
    if not distributed.is_initialized():
        distributed.init_process_group("gloo")
    cfg.model_wrapper_cfg = cpu_wrapper(cfg)


def cpu_wrapper(cfg: Config) -> dict:
    """The config's ``model_wrapper_cfg`` for CPU processes; what it says itself stays."""
    wanted = dict(cfg.get("model_wrapper_cfg") or {"find_unused_parameters": cfg.get("find_unused_parameters", False)})
    if class_of({"type": MMDistributedDataParallel, **wanted}, MODEL_WRAPPERS) is not MMDistributedDataParallel:
        return wanted
    # gradients are summed where they are: no copies of 500 MB
    ours = dict(type="MMDistributedDataParallel", broadcast_buffers=False, gradient_as_bucket_view=True)
    return {**ours, **wanted, "device_ids": None}


@cache
def _leave_process_group_at_exit() -> None:
    """Leave whatever group there is then, opened here or by mmengine, also after an error.

    A thread of gloo that still holds a tensor when Python is gone aborts the process, whose work is done; NCCL warns of
    a group that nobody left.
    """
    atexit.register(lambda: distributed.is_initialized() and leave_process_group())


def leave_process_group(group: distributed.ProcessGroup | None = None) -> None:
    """Leave a group of processes, by default the one of all.

    Some versions of PyTorch (2.1) hold Python's lock while they wait for gloo's threads, which need it to drop the last
    tensor that they were given: for that, they get a moment before.
    """
    time.sleep(0.1)
    distributed.destroy_process_group(group)


def is_first_process() -> bool:
    """Whether this is the first of the launched processes; known before they have joined each other."""
    ranks = (os.environ.get(name) for name in RANKS.values())
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
    leave_process_group(group)
    if error:
        raise error
    failed, result = outcome
    if failed:
        leave()
    return result


def leave() -> NoReturn:
    """Leave after another process has said what is wrong: launchers end all processes when one fails."""
    time.sleep(PATIENCE)
    raise SystemExit(1)
