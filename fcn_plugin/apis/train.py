"""Train a config with all the stages that lead to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import RUNNERS

from ..utils.config import read_config


def train(
    config: str,
    work_dir: str | None = None,
    data_root: str | None = None,
    cfg_options: Mapping | None = None,
    amp: bool | None = None,
    stage_only: bool = False,
    check_data: bool = True,
    launcher: str = "none",
    accept_changes: bool = False,
) -> None:
    """Train a config with all the stages that lead to it; what is done is kept, what was interrupted goes on.

    Args:
        config (str): path of the config.
        work_dir (str, optional): where logs and checkpoints go; by default the config's, or ``work_dirs/CONFIG``.
        data_root (str, optional): root of the data set, in place of the config's.
        cfg_options (Mapping, optional): settings to override in all stages, as ``{"train_cfg.max_iters": 100}``.
        amp (bool, optional): True for mixed precision, False for float32; by default the config's ``precision``.
        stage_only (bool): leave out the earlier stages.
        check_data (bool): read all images and labels before training.
        launcher (str): what started the processes: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        accept_changes (bool): let an interrupted training go on with settings that have changed since.

    Raises:
        FileNotFoundError, ValueError: before anything is written, for whatever is wrong in configs, weights and data.
    """
    cfg = run_config(config, work_dir, data_root, cfg_options, amp, check_data, launcher)
    if stage_only:
        cfg.pop("earlier_stage", None)
    if accept_changes:
        cfg.accept_changes = True
    RUNNERS.build(cfg).train()


def run_config(
    config: str,
    work_dir: str | None,
    data_root: str | None,
    cfg_options: Mapping | None,
    amp: bool | None,
    check_data: bool,
    launcher: str,
) -> Config:
    """Read a config and put the options of :func:`train` and :func:`test` into it."""
    cfg = read_config(config, cfg_options, data_root)
    cfg.launcher = launcher
    cfg.work_dir = str(work_dir or cfg.get("work_dir") or Path("work_dirs", Path(config).stem))
    cfg.setdefault("runner_type", "StagedRunner")  # for a config without the shipped default_runtime.py
    if amp is not None:
        cfg.precision = "bfloat16" if amp else "float32"
    if not check_data:
        cfg.data_check = False
    return cfg
