"""That dataloaders, loops, evaluators and the model's way of testing can be used as they are set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset
from mmseg.evaluation import IoUMetric
from mmseg.models import SegDataPreProcessor
from mmseg.registry import DATA_SAMPLERS, METRICS
from torch import nn

from ..utils.config import class_of
from ..utils.text import first_line
from .agreement import check_ignored, check_numbers, check_order, check_scores
from .batches import check_batches
from .data import build_dataset
from .loading import check_backends, check_loading
from .overlap import check_overlap
from .parts import TRAINING, Part, parts_of
from .report import Report

#: Settings of a loop, which are all there or all None.
LOOPS = {
    "train": ("train_dataloader", "train_cfg", "optim_wrapper"),
    "val": ("val_dataloader", "val_cfg", "val_evaluator"),
    "test": ("test_dataloader", "test_cfg", "test_evaluator"),
}


def check_settings(
    cfg: Config, model: nn.Module | None, dataloaders: Sequence[str], there: bool, report: Report
) -> bool:
    """Check the settings of a run against each other.

    Args:
        cfg (Config): of the run.
        model (nn.Module, optional): as from :func:`model_to_check`; None if it cannot be built.
        dataloaders (Sequence[str]): those that are used.
        there (bool): whether the data are there; without, nothing is known of the data sets.
        report (Report): takes what is wrong.

    Returns:
        bool: whether images and labels can be read as the pipelines have it.
    """
    init_default_scope(cfg.get("default_scope") or "mmseg")
    model = getattr(model, "module", model)  # wrapped for test-time augmentation
    for names in LOOPS.values():
        with report.collect():
            check_together(cfg, names)
    if TRAINING in dataloaders:
        with report.collect():
            check_intervals(cfg, report)
    for name in dataloaders:
        with report.collect():
            check_dataloader(cfg, name)
    datasets, readable = _datasets(cfg, dataloaders, report) if there else ({}, False)
    evaluators = {}
    for name in (name.replace("dataloader", "evaluator") for name in dataloaders):
        with report.collect():
            evaluators[name] = metrics_of(cfg.get(name), name)
    if model is not None:
        checks = [(check_numbers, model, datasets, report), (check_ignored, model, datasets, evaluators)]
        if TRAINING in dataloaders:
            checks += [(check_scores, model), (check_padding, model)]
        if any(cfg.get(name) for name in dataloaders if name != TRAINING):
            checks.append((check_testing, model))
        for check, *arguments in checks:
            with report.collect():
                check(*arguments)
    check_overlap(datasets, report)
    with report.collect():
        check_order(datasets, report)
    for name in dataloaders:
        if name != TRAINING:
            with report.collect():
                check_batches({part: one for part, one in datasets.items() if part.loader == name}, cfg.get(name))
    return readable


def _datasets(cfg: Config, dataloaders: Sequence[str], report: Report) -> tuple[dict[Part, BaseSegDataset], bool]:
    """The data sets, with their lists, whose pipelines load what is needed; and whether all of them do."""
    datasets, readable = {}, True
    for part in (part for name in dataloaders for part in parts_of(cfg, name)):
        passed = False
        with report.collect():
            dataset = build_dataset(part.cfg, part.loader)
            if dataset is not None:
                check_backends(part, dataset)
                check_loading(part, dataset.data_list, part.loader != "test_dataloader")
                datasets[part] = dataset
            passed = True
        readable = readable and passed
    return datasets, readable


def check_together(cfg: Config, names: Sequence[str]) -> None:
    """Check that the settings of a loop are all there, or none.

    Raises:
        ValueError: naming those that are and those that are not.
    """
    given = [name for name in names if cfg.get(name) is not None]
    missing = [name for name in names if name not in given]
    if given and missing:
        raise ValueError(
            f"{', '.join(names[:-1])} and {names[-1]} belong together: {' and '.join(missing)} is None, but not"
            f" {' and '.join(given)}; set all three, or all three to None"
        )


def check_intervals(cfg: Config, report: Report) -> None:
    """Check when there is a validation; warn if there is none.

    Raises:
        ValueError: for an interval that is no whole number of 1 or more.
    """
    loop = cfg.get("train_cfg") or {}
    interval, begin, end = loop.get("val_interval", 1), loop.get("val_begin", 1), loop.get("max_iters")
    if end is not None and not (isinstance(end, (int, float)) and end >= 1 and end == int(end)):
        raise ValueError(f"train_cfg.max_iters must be a whole number of 1 or more, got {end!r}")
    if not _is_whole(interval):
        raise ValueError(f"train_cfg.val_interval must be a whole number of 1 or more, got {interval!r}")
    if isinstance(end, int) and isinstance(begin, int) and begin > end and cfg.get("val_dataloader"):
        report.warn(f"train_cfg.val_begin={begin} lies behind train_cfg.max_iters={end}: there will be no validation")


def check_dataloader(cfg: Config, name: str) -> None:
    """Check the numbers of a dataloader.

    Raises:
        ValueError: naming what is wrong, and what to set.
    """
    loader = cfg.get(name)
    if not isinstance(loader, Mapping):
        return
    size, workers = loader.get("batch_size", 1), loader.get("num_workers", 0)
    if not _is_whole(size):
        raise ValueError(f"{name}.batch_size must be a whole number of 1 or more, got {size!r}")
    if not _is_whole(workers, 0):
        raise ValueError(f"{name}.num_workers must be a whole number of 0 or more, got {workers!r}")
    for setting, unset in (("persistent_workers", False), ("prefetch_factor", None)):
        if not workers and loader.get(setting):
            raise ValueError(
                f"{name}.{setting}={loader[setting]} needs workers, but num_workers is 0: set {name}.{setting}={unset},"
                f" or {name}.num_workers to 1 or more"
            )
    for setting in ("sampler", "batch_sampler"):
        sampler = loader.get(setting)
        if isinstance(sampler, Mapping) and class_of(sampler, DATA_SAMPLERS) is None:
            raise ValueError(f"{name}.{setting}: there is no sampler {sampler.get('type')!r}")
    if "sampler" not in loader:
        raise ValueError(f"{name} has no sampler: set {name}.sampler=dict(type='DefaultSampler', shuffle=False)")


def _is_whole(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def metrics_of(evaluator: Any, name: str) -> list[IoUMetric]:
    """The metrics of an evaluator that count pixels, built, and checked for the figures that they can give.

    Raises:
        ValueError: for a metric that is not registered or is refused, and for unknown figures.
    """
    if isinstance(evaluator, Evaluator):
        evaluator = evaluator.metrics
    elif isinstance(evaluator, Mapping) and "metrics" in evaluator:
        evaluator = evaluator["metrics"]
    metrics = []
    for settings in evaluator if isinstance(evaluator, (list, tuple)) else [evaluator] if evaluator else []:
        metric = settings
        if isinstance(settings, Mapping):
            kind = class_of(settings, METRICS)
            if kind is None:
                raise ValueError(f"{name}: there is no metric {settings.get('type')!r}")
            if not (isinstance(kind, type) and issubclass(kind, IoUMetric)):
                continue  # it may write when it is built
            try:
                metric = METRICS.build({key: value for key, value in settings.items() if key != "output_dir"})
            except (AssertionError, TypeError, ValueError) as error:
                raise ValueError(f"{name} cannot be built: {first_line(error)}") from error
        if isinstance(metric, IoUMetric):
            _check_figures(metric, name)
            metrics.append(metric)
    return metrics


def _check_figures(metric: IoUMetric, name: str) -> None:
    areas = [torch.ones(2, dtype=torch.float64)] * 4
    try:
        metric.total_area_to_metrics(*areas, metric.metrics, metric.nan_to_num, metric.beta)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{name}.iou_metrics={metric.metrics!r} has unknown figures: choose of 'mIoU', 'mDice' and 'mFscore'"
        ) from error


def check_testing(model: nn.Module) -> None:
    """Check how a segmentor of the toolbox is tested: on whole images, or on windows that cover them.

    Raises:
        ValueError: naming what is missing or does not fit in ``model.test_cfg``.
    """
    if not hasattr(model, "slide_inference"):
        return
    test_cfg = getattr(model, "test_cfg", None) or {}
    mode = test_cfg.get("mode")
    if mode not in ("whole", "slide"):
        raise ValueError(f"model.test_cfg.mode must be 'whole' or 'slide', got {mode!r}: set model.test_cfg.mode=whole")
    if mode == "whole":
        return
    for name in ("crop_size", "stride"):
        pair = test_cfg.get(name)
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(map(_is_whole, pair)):
            raise ValueError(
                f"model.test_cfg.mode='slide' needs crop_size and stride, (height, width) in pixels each, got"
                f" {name}={pair!r}: set model.test_cfg.{name}, or model.test_cfg.mode=whole"
            )
    if any(step > side for step, side in zip(test_cfg["stride"], test_cfg["crop_size"])):
        raise ValueError(
            f"model.test_cfg.stride={tuple(test_cfg['stride'])} is larger than"
            f" crop_size={tuple(test_cfg['crop_size'])}: windows would leave pixels out"
        )


def check_padding(model: nn.Module) -> None:
    """Check that the data preprocessor knows to what size it shall bring the images of a batch.

    Raises:
        ValueError: if it has neither ``size`` nor ``size_divisor``, or both.
    """
    preprocessor = getattr(model, "data_preprocessor", None)
    if isinstance(preprocessor, SegDataPreProcessor) and (preprocessor.size is None) == (
        preprocessor.size_divisor is None
    ):
        given = "neither" if preprocessor.size is None else "both"
        raise ValueError(
            f"model.data_preprocessor has {given} of size and size_divisor, and needs one: size_divisor=1 pads a batch"
            " to its largest image"
        )
