"""What can be wrong with a run, all of it, before it writes anything."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from ..utils.config import require
from ..utils.files import check_writable
from ..utils.images import is_remote
from ..weights.checkpoint import read_checkpoint
from .building import check_components
from .census import Picture
from .data import check_data, check_lists, check_samples
from .predictions import check_predictions
from .report import Report
from .resume import changes_since, check_class_order, check_resume, listed
from .seeding import check_seeding
from .settings import check_settings
from .watched import check_hooks
from .weights import (
    check_expectations,
    check_pretrained,
    check_start,
    check_state_dict,
    expectations_of,
    model_to_check,
    pretrained_parts,
)

TRAINING = ("train_dataloader", "val_dataloader")


def check_training(
    cfgs: Sequence[Config],
    may_differ: Sequence[Sequence[str]],
    samples: bool = True,
    before: Config | None = None,
) -> list[dict[str, Picture]]:
    """Check stages that are to be trained in turn, each from the weights of the one before it.

    Args:
        cfgs (Sequence[Config]): of the stages, first to last. The first may have a checkpoint to start from
            (``load_from``) or to go on from (``resume`` as well).
        may_differ (Sequence[Sequence[str]]): for each stage, regular expressions of weights that need not be those of
            the checkpoint before.
        samples (bool): read all images and labels.
        before (Config, optional): of the stage before these, whose newest checkpoint is its ``load_from``, if any.

    Returns:
        list[dict[str, Picture]]: for each stage, the largest image of each dataloader that was read.

    Raises:
        CannotWriteError: for a directory that cannot be written, before anything is read.
        FileNotFoundError, ValueError: for one problem, what tells it; for several, one error that lists them.
    """
    for cfg in cfgs:
        _check_directories(cfg, "val_evaluator")
    report = Report()
    for cfg in cfgs:
        require(cfg, "model")
    models = [_check_model(cfg, report) for cfg in cfgs]
    sound = [(cfg, model) for cfg, model in zip(cfgs, models) if check_components(cfg, model, "train", report)]
    for cfg, _ in sound:
        with report.collect():
            check_hooks(cfg)
    for model in (model for model in models if model is not None):
        for source, parts in pretrained_parts(model).items():
            with report.collect():
                check_pretrained(source, parts, model)
    first, source = models[0], cfgs[0].get("load_from")
    if first is not None and source:
        with report.collect():
            resumes = bool(cfgs[0].get("resume"))
            meta = check_start(source, first, may_differ[0], earlier_stage=not resumes)
            if resumes:
                check_resume(cfgs[0])
            else:
                _check_classes(meta, cfgs[0], TRAINING[0], source)
    for cfg, after, model, next_model, names in zip(cfgs, cfgs[1:], models, models[1:], may_differ[1:]):
        if model is not None and next_model is not None:
            with report.collect():
                _check_next_stage(model, next_model, names, f"{_name(cfg)}, the stage before {_name(after)}")
    largest = _check_data(sound, TRAINING, samples, report)
    if samples and not report.errors:  # samples can be read
        with report.collect():
            check_seeding(cfgs)
    report.finish()
    if before is not None:
        _tell_changes(before)
    return largest


def check_evaluation(
    cfg: Config, dataloader: str, may_differ: Sequence[str] = (), samples: bool = True
) -> dict[str, Picture]:
    """Check a validation or a test of the checkpoint ``load_from``.

    Args:
        cfg (Config): the config.
        dataloader (str): ``val_dataloader`` or ``test_dataloader``.
        may_differ (Sequence[str]): regular expressions of weights that may be missing or of another shape.
        samples (bool): read all images and labels.

    Returns:
        dict[str, Picture]: the largest image of the dataloader, if it was read.

    Raises:
        CannotWriteError, FileNotFoundError, ValueError: as :func:`check_training`.
    """
    require(cfg, "model")
    _check_directories(cfg, "val_evaluator" if dataloader == "val_dataloader" else "test_evaluator")
    report, source = Report(), cfg.get("load_from")
    model = _check_model(cfg, report)
    sound = check_components(cfg, model, dataloader.removesuffix("_dataloader"), report)
    with report.collect():
        if not source:
            raise ValueError("there is no checkpoint to evaluate: set load_from")
        if model is not None:
            meta = check_start(source, model, may_differ, earlier_stage=False)
            _check_classes(meta, cfg, dataloader, source)
    largest = [{}]
    if sound:
        check_predictions(cfg, dataloader.removesuffix("_dataloader"), report)
        largest = _check_data([(cfg, model)], (dataloader,), samples, report)
    report.finish()
    return largest[0]


def _check_directories(cfg: Config, evaluator: str) -> None:
    """Try the directories that a run writes to, but for those in another storage."""
    hooks, visualizer = cfg.get("default_hooks") or {}, cfg.get("visualizer") or {}
    evaluators = cfg.get(evaluator) or []
    directories = [cfg.get("work_dir"), cfg.get("show_dir"), visualizer.get("save_dir")]
    directories.append((hooks.get("checkpoint") or {}).get("out_dir"))
    for metric in evaluators if isinstance(evaluators, list) else [evaluators]:
        directories.append(metric.get("output_dir") if isinstance(metric, Mapping) else None)
    for directory in directories:
        if directory and not is_remote(directory):
            check_writable(directory)


def _check_model(cfg: Config, report: Report) -> nn.Module | None:
    """The model of a config; None if it cannot be built."""
    with report.collect():
        return model_to_check(cfg)
    return None


def _check_next_stage(model: nn.Module, next_model: nn.Module, may_differ: Sequence[str], source: str) -> None:
    """Check that a model takes the weights that another one will have been trained to."""
    try:
        check_expectations(expectations_of(model), next_model, source)
        check_state_dict(next_model, model.state_dict(), may_differ)
    except ValueError as error:
        raise type(error)(f"the weights of {source}: {error}") from error


def _check_data(
    cfgs: Sequence[tuple[Config, nn.Module | None]], dataloaders: Sequence[str], samples: bool, report: Report
) -> list[dict[str, Picture]]:
    """Check settings, and the data of those configs, each with its model, whose directories and lists are there.

    Returns:
        list[dict[str, Picture]]: for each config, the largest image of each dataloader that was read.
    """
    right = []
    for cfg, model in cfgs:
        there = False
        with report.collect():
            check_data(cfg, dataloaders)
            there = True
        complete = there and check_lists(cfg, dataloaders, report)
        if check_settings(cfg, model, dataloaders, there, report) and complete:
            right.append(cfg)
    if samples:
        with report.collect():
            return check_samples(right, dataloaders)
    return [{} for _ in cfgs]


def _tell_changes(cfg: Config) -> None:
    """Warn of a stage that is done and was trained with other settings than those that its successors get."""
    if changes := changes_since(read_checkpoint(cfg.load_from), cfg):
        print_log(
            f"{_name(cfg)} is done, with other settings than it would be trained with now: {listed(changes)}. Its"
            " weights are taken as they are: give another --work-dir to train all stages anew",
            logger="current",
            level=logging.WARNING,
        )


def _check_classes(meta: Mapping, cfg: Config, dataloader: str, source: str) -> None:
    classes = (meta.get("dataset_meta") or {}).get("classes")
    if warning := check_class_order(classes, cfg, dataloader, source):
        print_log(warning, logger="current", level=logging.WARNING)


def _name(cfg: Config) -> str:
    return Path(cfg.filename or "the config").stem
