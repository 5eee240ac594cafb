"""That stages can be trained in turn: each ends, and leaves a checkpoint from which it, or the next one, goes on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dataset import InfiniteSampler
from mmengine.logging import print_log
from mmseg.registry import DATA_SAMPLERS

from ..utils.config import class_of, counts_epochs
from .checkpoints import Checkpoints


def check_plan(cfgs: Sequence[Config], names: Sequence[str]) -> None:
    """Check the train loops and the CheckpointHooks of stages that are trained in turn.

    Args:
        cfgs (Sequence[Config]): of the stages, first to last; what a train loop has no use for is removed.
        names (Sequence[str]): what to call them.

    Raises:
        ValueError: naming the settings to change.
    """
    directories: dict[Path, str] = {}
    for cfg, name in zip(cfgs, names):
        checkpoints = Checkpoints(cfg)
        if counts_epochs(cfg):
            if len(cfgs) > 1:
                raise ValueError(
                    f"{name} counts epochs, and stages are trained by an IterBasedTrainLoop: set train_cfg.max_iters,"
                    " or leave out the other stages (--stage-only)"
                )
            _check_epochs(cfg, checkpoints)
        else:
            _check_iterations(cfg, checkpoints)
        length = cfg.train_cfg.max_epochs if counts_epochs(cfg) else cfg.train_cfg.max_iters
        if not checkpoints.leaves_last(length):
            _tell_of_no_checkpoint(name, is_last=cfg is cfgs[-1])
        directory = checkpoints.directory.resolve()
        if directory in directories and checkpoints.hook is not None:
            raise ValueError(
                f"{directories[directory]} and {name} would both save their checkpoints in {directory}: give a"
                " --work-dir with another name than that of a stage"
            )
        directories[directory] = name


def _check_epochs(cfg: Config, checkpoints: Checkpoints) -> None:
    loop = cfg.train_cfg
    if "max_epochs" not in loop:
        raise ValueError("an EpochBasedTrainLoop needs train_cfg.max_epochs, the number of epochs")
    needed = []
    sampler = class_of((cfg.get("train_dataloader") or {}).get("sampler") or {}, DATA_SAMPLERS)
    if isinstance(sampler, type) and issubclass(sampler, InfiniteSampler):
        needed.append(
            (f"the {sampler.__name__} never ends an epoch", "train_dataloader.sampler.type=SeededDefaultSampler")
        )
    if checkpoints.hook is not None and not checkpoints.hook.by_epoch:
        settings = "default_hooks.checkpoint.by_epoch=True default_hooks.checkpoint.interval=1"
        needed.append(("no training can go on in the middle of an epoch", settings))
    if needed:
        raise ValueError(
            f"this config does not fit an EpochBasedTrainLoop: {', and '.join(reason for reason, _ in needed)}: set"
            f" {' '.join(settings for _, settings in needed)}"
        )
    if "max_iters" in loop:
        print_log(
            f"train_cfg.max_iters={loop.pop('max_iters')} is not used: an EpochBasedTrainLoop counts epochs, and so"
            f" does train_cfg.val_interval={loop.get('val_interval', 1)}",
            logger="current",
            level=logging.WARNING,
        )


def _check_iterations(cfg: Config, checkpoints: Checkpoints) -> None:
    if "max_iters" not in (cfg.get("train_cfg") or {}):
        raise ValueError("an IterBasedTrainLoop needs train_cfg.max_iters, the number of iterations")
    if "max_epochs" in cfg.train_cfg:
        raise ValueError(
            "train_cfg has both max_iters and max_epochs: leave one out, or set train_cfg.type=EpochBasedTrainLoop to"
            " train in epochs"
        )
    hook = checkpoints.hook
    if hook is not None and hook.by_epoch and hook.interval > 0:
        raise ValueError(
            "the CheckpointHook counts epochs (by_epoch=True), but an IterBasedTrainLoop is a single one, so there"
            " would be no checkpoint before its end: set default_hooks.checkpoint.by_epoch=False (its interval then"
            " counts iterations)"
        )


def _tell_of_no_checkpoint(name: str, is_last: bool) -> None:
    what = f"{name} leaves no checkpoint of its last iteration"
    if not is_last:
        raise ValueError(
            f"{what}, from which the next stage starts: leave default_hooks.checkpoint as it is, or set"
            " default_hooks.checkpoint.save_last=True"
        )
    print_log(
        f"{what}, so what it learned behind the checkpoint before is lost: set default_hooks.checkpoint.save_last=True",
        logger="current",
        level=logging.WARNING,
    )
