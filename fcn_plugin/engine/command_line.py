"""What the command line tools have in common."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction

from ..utils.config import read_config
from .distributed import set_up_distributed


def parse_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse a tool's own arguments together with the options that all tools share with the toolbox's."""
    parser.add_argument("--work-dir", help="where logs and checkpoints go; default work_dirs/CONFIG")
    parser.add_argument("--data-root", help="root directory of the data set, in place of the config's")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={}, help="override settings: key=value")
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none", help="job launcher")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help="set by the job launcher")
    args = parser.parse_args(arguments)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    return args


def config_of(args: argparse.Namespace) -> Config:
    """Read the config that a tool was given, apply the options, and join the other processes if there are any.

    Raises:
        FileNotFoundError, ValueError: as :func:`read_config` and :func:`set_up_distributed`.
    """
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    cfg.work_dir = args.work_dir or cfg.get("work_dir") or str(Path("work_dirs", Path(args.config).stem))
    set_up_distributed(cfg)
    return cfg
