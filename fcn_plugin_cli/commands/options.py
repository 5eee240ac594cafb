"""Options that several subcommands have, and what follows from them."""

from __future__ import annotations

import os
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from typing import TYPE_CHECKING

from .setting_action import SettingAction

if TYPE_CHECKING:
    from mmengine.config import Config


def add_config(parser: ArgumentParser, help: str = "config file, for example configs/fcn8s_vgg16_voc.py") -> None:
    """Add CONFIG."""
    parser.add_argument("config", help=help)


def add_cfg_options(parser: ArgumentParser) -> None:
    """Add --cfg-options."""
    parser.add_argument(
        "--cfg-options", nargs="+", action=SettingAction, default={}, help="override settings: key=value"
    )


def add_data_root(parser: ArgumentParser) -> None:
    """Add --data-root."""
    parser.add_argument("--data-root", help="root directory of the data set, in place of the config's")


def add_preprocessing(parser: ArgumentParser) -> None:
    """Add --preprocessing."""
    text = "how the weights want pictures, such as caffe or torchvision, where their file does not tell it"
    parser.add_argument("--preprocessing", metavar="NAME", help=text)


def add_workers(parser: ArgumentParser) -> None:
    """Add --workers of a preparation."""
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="default: one per core")


def add_data(parser: ArgumentParser, *splits: str) -> None:
    """Add CONFIG and what says which of its data; the first split is the default."""
    add_config(parser)
    parser.add_argument("--split", choices=splits, default=splits[0], help="default %(default)s")
    add_data_root(parser)
    add_cfg_options(parser)


def read_data_config(args: Namespace) -> Config:
    """Read the config that :func:`add_data` took, and check that its data are there.

    Raises:
        FileNotFoundError, ValueError: as :func:`read_config` and :func:`check_data`.
    """
    from fcn_plugin.checks.data import check_data
    from fcn_plugin.utils.config import read_config

    cfg = read_config(args.config, args.cfg_options, args.data_root)
    check_data(cfg, (f"{args.split}_dataloader",))
    return cfg


def add_run(parser: ArgumentParser) -> None:
    """Add CONFIG and what training and testing share, with the names of the parameters in :mod:`fcn_plugin.apis`."""
    add_config(parser)
    parser.add_argument("--work-dir", help="where logs and checkpoints go; default work_dirs/CONFIG")
    parser.add_argument(
        "--amp",
        action=BooleanOptionalAction,
        help="mixed precision (bfloat16, also on the CPU), or float32; default: the config's `precision`",
    )
    parser.add_argument(
        "--no-check", dest="check_data", action="store_false", help="do not read all images and labels beforehand"
    )
    add_data_root(parser)
    add_cfg_options(parser)
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none", help="job launcher")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help="set by the job launcher")


def run_settings(args: Namespace) -> dict:
    """The parameters of a function in :mod:`fcn_plugin.apis`; the local rank goes where the toolbox looks for it."""
    settings = dict(vars(args))
    os.environ.setdefault("LOCAL_RANK", str(settings.pop("local_rank")))
    return settings


def arose_before_the_loop(error: Exception) -> bool:
    """Whether an error needs no traceback: it tells of wrong input, or says all that there is to say.

    While a network is trained or tested, that are wrong weights, a training that has gone wrong, and a full disk. The
    traceback of another error in the middle of a training is worth more than one line.
    """
    from mmengine.registry import LOOPS

    from fcn_plugin.checks.run import check_evaluation, check_training
    from fcn_plugin.engine.hooks.finite_check_hook import NotFiniteError
    from fcn_plugin.utils.building import arose_in, arose_in_building
    from fcn_plugin.utils.files import NO_ROOM, CannotWriteError
    from fcn_plugin.weights.checkpoint import WeightsError

    if isinstance(error, (WeightsError, NotFiniteError, CannotWriteError)):
        return True
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return True
    inside = arose_in(error, *(loop.run for loop in LOOPS.module_dict.values()))
    checked = arose_in(error, check_training, check_evaluation)  # they look at nothing but what users give
    wrong_input = isinstance(error, (ValueError, OSError)) or arose_in_building(error) or checked
    return wrong_input and not inside
