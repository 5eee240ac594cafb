"""That hooks fit the training: those that watch a figure of the validation, and those that begin late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, EMAHook, Hook
from mmseg.evaluation import IoUMetric
from mmseg.registry import HOOKS, METRICS

from ..evaluation import FCNMetric
from ..evaluation.fcn_metric import foreground_scores
from ..utils.config import class_of, configured_hooks, counts_epochs
from ..utils.text import first_line


def built_hook(hook: Hook | Mapping) -> Any:
    """A hook of a config, built.

    Raises:
        ValueError: if the toolbox refuses its settings.
    """
    if not isinstance(hook, Mapping):
        return hook
    try:
        return HOOKS.build(hook)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        name = getattr(class_of(hook, HOOKS), "__name__", hook.get("type"))
        raise ValueError(f"the {name} is refused: {first_line(error)}") from error


def check_hooks(cfg: Config) -> None:
    """Check the hooks of a training that rest on its validation or its length.

    Raises:
        ValueError: if a hook watches a figure that the validation does not give, averages only after the end, or cannot
            be built.
    """
    watched = [
        ("CheckpointHook.save_best", figure)
        for hook in configured_hooks(cfg, CheckpointHook)
        for figure in built_hook(hook).save_best or []
    ]
    watched += [
        ("EarlyStoppingHook.monitor", built_hook(hook).monitor) for hook in configured_hooks(cfg, EarlyStoppingHook)
    ]
    if watched and not cfg.get("val_dataloader"):
        raise ValueError(f"{watched[0][0]}={watched[0][1]!r} needs a validation: set val_dataloader, or leave it out")
    figures = figures_of(cfg.get("val_evaluator")) if watched else None
    for setting, name in watched:
        if figures is not None and name not in [*figures, "auto"]:
            raise ValueError(f"{setting}={name!r} is none of the figures of the validation: {', '.join(figures)}")
    length, epochs = (cfg.train_cfg.max_epochs, True) if counts_epochs(cfg) else (cfg.train_cfg.max_iters, False)
    for hook in map(built_hook, configured_hooks(cfg, EMAHook)):
        begin = (hook.begin_epoch, "begin_epoch") if hook.begin_epoch else (hook.begin_iter, "begin_iter")
        in_training = epochs == (begin[1] == "begin_epoch") or not begin[0]
        if not in_training or begin[0] > length:
            unit = "epochs" if epochs else "iterations"
            raise ValueError(f"EMAHook.{begin[1]}={begin[0]} does not fit a training of {length} {unit}")


def figures_of(evaluator: Any) -> list[str] | None:
    """The names of the figures that a ``val_evaluator`` gives; None if it has a metric that is not known here."""
    if isinstance(evaluator, Mapping) and "metrics" in evaluator:
        evaluator = evaluator["metrics"]
    names: list[str] = []
    for settings in evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]:
        kind = class_of(settings, METRICS) if isinstance(settings, Mapping) else None
        if kind not in (IoUMetric, FCNMetric):
            return None
        metric = METRICS.build(settings)
        table = metric.total_area_to_metrics(*torch.ones(4, 1), metric.metrics, metric.nan_to_num, metric.beta)
        found = [name if name == "aAcc" else f"m{name}" for name in table] + ["fwIoU"] * (kind is FCNMetric)
        if getattr(metric, "foreground", None) is not None:
            found += foreground_scores(1, 1, 1)
        names += [f"{metric.prefix}/{name}" if metric.prefix else name for name in found]
    return names
