"""What can be wrong with a run, all of it, before it writes anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from torch import nn

from ..utils.files import check_writable
from ..utils.images import is_remote
from .data import check_data, check_samples
from .report import Report
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


def check_training(cfgs: Sequence[Config], may_differ: Sequence[Sequence[str]], samples: bool = True) -> None:
    """Check stages that are to be trained in turn, each from the weights of the one before it.

    Args:
        cfgs (Sequence[Config]): of the stages, first to last. The first may have a checkpoint to start from
            (``load_from``) or to go on from (``resume`` as well).
        may_differ (Sequence[Sequence[str]]): for each stage, regular expressions of weights that need not be those of
            the checkpoint before.
        samples (bool): read all images and labels.

    Raises:
        CannotWriteError: for a directory that cannot be written, before anything is read.
        FileNotFoundError, ValueError: for one problem, what tells it; for several, one error that lists them.
    """
    for cfg in cfgs:
        _check_directories(cfg, "val_evaluator")
    report = Report()
    models = [_check_model(cfg, report) for cfg in cfgs]
    for model in (model for model in models if model is not None):
        for source, parts in pretrained_parts(model).items():
            with report.collect():
                check_pretrained(source, parts, model)
    first, source = models[0], cfgs[0].get("load_from")
    if first is not None and source:
        with report.collect():
            check_start(source, first, may_differ[0], earlier_stage=not cfgs[0].get("resume"))
    for before, after, model, next_model, names in zip(cfgs, cfgs[1:], models, models[1:], may_differ[1:]):
        if model is not None and next_model is not None:
            with report.collect():
                _check_next_stage(model, next_model, names, f"{_name(before)}, the stage before {_name(after)}")
    _check_data(cfgs, TRAINING, samples, report)
    report.finish()


def check_evaluation(cfg: Config, dataloader: str, may_differ: Sequence[str] = (), samples: bool = True) -> None:
    """Check a validation or a test of the checkpoint ``load_from``.

    Args:
        cfg (Config): the config.
        dataloader (str): ``val_dataloader`` or ``test_dataloader``.
        may_differ (Sequence[str]): regular expressions of weights that may be missing or of another shape.
        samples (bool): read all images and labels.

    Raises:
        CannotWriteError, FileNotFoundError, ValueError: as :func:`check_training`.
    """
    _check_directories(cfg, "val_evaluator" if dataloader == "val_dataloader" else "test_evaluator")
    report, source = Report(), cfg.get("load_from")
    model = _check_model(cfg, report)
    with report.collect():
        if not source:
            raise ValueError("there is no checkpoint to evaluate: set load_from")
        if model is not None:
            check_start(source, model, may_differ, earlier_stage=False)
    _check_data([cfg], (dataloader,), samples, report)
    report.finish()


def _check_directories(cfg: Config, evaluator: str) -> None:
    """Try the directories that a run writes to, but for those in another storage."""
    hooks, visualizer = cfg.get("default_hooks") or {}, cfg.get("visualizer") or {}
    evaluators = cfg.get(evaluator) or []
    directories = [cfg.get("work_dir"), (hooks.get("checkpoint") or {}).get("out_dir"), visualizer.get("save_dir")]
    for metric in evaluators if isinstance(evaluators, list) else [evaluators]:
        directories.append(metric.get("output_dir"))
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


def _check_data(cfgs: Sequence[Config], dataloaders: Sequence[str], samples: bool, report: Report) -> None:
    """Check the data of those configs whose directories and lists are there."""
    there = []
    for cfg in cfgs:
        with report.collect():
            check_data(cfg, dataloaders)
            there.append(cfg)
    if samples:
        with report.collect():
            check_samples(there, dataloaders)


def _name(cfg: Config) -> str:
    return Path(cfg.filename or "the config").stem
