"""That the settings of a run, each of which is right by itself, fit each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset
from mmseg.evaluation import IoUMetric
from mmseg.models import EncoderDecoder, SegDataPreProcessor
from mmseg.registry import METRICS
from torch import nn

from ..utils.config import class_of
from .agreement import check_ignored, check_numbers, check_order, check_scores
from .batches import check_batches
from .colour_steps import check_colour_steps
from .data import build_dataset
from .loading import check_backends, check_loading
from .overlap import check_overlap
from .parts import TRAINING, Part, parts_of
from .report import Report


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
    if TRAINING in dataloaders:
        warn_of_no_validation(cfg, report)
    datasets, readable = _datasets(cfg, dataloaders, report) if there else ({}, False)
    names = [name.replace("dataloader", "evaluator") for name in dataloaders]
    evaluators = {name: metrics_of(cfg.get(name)) for name in names}
    if model is not None:
        checks = [(check_numbers, model, datasets, report), (check_ignored, model, datasets, evaluators)]
        if TRAINING in dataloaders:
            checks += [(check_scores, model, report), (check_padding, model)]
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
                check_colour_steps(part, dataset.data_list)
                datasets[part] = dataset
            passed = True
        readable = readable and passed
    return datasets, readable


def warn_of_no_validation(cfg: Config, report: Report) -> None:
    """Warn of a validation that would begin after the training."""
    loop = cfg.get("train_cfg") or {}
    begin, end = loop.get("val_begin", 1), loop.get("max_iters")
    if end is not None and begin > end and cfg.get("val_dataloader"):
        report.warn(f"train_cfg.val_begin={begin} lies behind train_cfg.max_iters={end}: there will be no validation")


def _is_whole(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def metrics_of(evaluator: Any) -> list[IoUMetric]:
    """The metrics of an evaluator that count pixels, built."""
    if isinstance(evaluator, Evaluator):
        evaluator = evaluator.metrics
    elif isinstance(evaluator, Mapping) and "metrics" in evaluator:
        evaluator = evaluator["metrics"]
    metrics = []
    for metric in evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]:
        kind = class_of(metric, METRICS) if isinstance(metric, Mapping) else type(metric)
        if isinstance(kind, type) and issubclass(kind, IoUMetric):  # another may write when it is built
            if isinstance(metric, Mapping):
                metric = METRICS.build({key: value for key, value in metric.items() if key != "output_dir"})
            metrics.append(metric)
    return metrics


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
        if type(model).inference is not EncoderDecoder.inference:
            return  # it has modes of its own
        other = ", or model.type=AlignedEncoderDecoder, which has it" if mode == "tiles" else ""
        raise ValueError(
            f"model.test_cfg.mode must be 'whole' or 'slide', got {mode!r}: set model.test_cfg.mode=whole{other}"
        )
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
