"""That the toolbox can build what a config names beside model and data, without leaving a trace of it."""

from __future__ import annotations

import copy
import logging
import platform
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from multiprocessing import get_all_start_methods
from pathlib import Path

import torch
from mmengine import visualization
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.logging import MMLogger, print_log
from mmengine.optim import build_optim_wrapper
from mmengine.registry import FUNCTIONS, DefaultScope
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, LogProcessor, Runner, TestLoop, ValLoop
from mmengine.utils import ManagerMeta
from mmengine.utils.dl_utils import set_multi_processing
from mmseg.evaluation import IoUMetric
from mmseg.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    METRICS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    VISBACKENDS,
    VISUALIZERS,
)
from torch import nn
from torch.utils.data import DataLoader

from ..utils.building import (
    is_installed,
    missing_package,
    not_whole,
    unknown_settings,
    wrong_component,
    wrong_settings,
)
from ..utils.config import KNOWN_KEYS, class_of
from ..utils.text import CERTAIN, nearest
from .report import Report

#: What a run of each kind needs; that of a validation may be missing as a whole.
NEEDED = {
    "train": ("train_dataloader", "train_cfg", "optim_wrapper"),
    "val": ("val_dataloader", "val_cfg", "val_evaluator"),
    "test": ("test_dataloader", "test_cfg", "test_evaluator"),
}
#: Keys that others in a config may be misspelt for; `models` or `test_pipeline` may well be variables of it.
LONG_KEYS = [key for key in KNOWN_KEYS if len(key) > 6 and key != "tta_pipeline"]
#: Packages that the toolbox's backends import when they are first written to; one of them is enough.
BACKEND_PACKAGES = {
    "WandbVisBackend": ("wandb",),
    "TensorboardVisBackend": ("tensorboard", "tensorboardX"),
    "MLflowVisBackend": ("mlflow",),
    "ClearMLVisBackend": ("clearml",),
    "NeptuneVisBackend": ("neptune",),
    "DVCLiveVisBackend": ("dvclive",),
    "AimVisBackend": ("aim",),
}
#: The toolbox's own settings of a dataloader, beside those of PyTorch's.
LOADER_SETTINGS = ("num_batch_per_epoch", "disable_subprocess_warning")
#: Settings of an optimizer wrapper that are for whoever builds it.
CONSTRUCTOR_SETTINGS = ("constructor", "paramwise_cfg")


def check_components(cfg: Config, model: nn.Module | None, split: str, report: Report) -> bool:
    """Check all that a runner will build of a config, beside its model and data.

    Optimizer, schedules, hooks and metrics are built, and thrown away. What would write files, open connections or
    start processes is not: the names of its settings are compared with those that its class takes. A warning tells of
    keys of the config that look like misspelt ones.

    Args:
        cfg (Config): the config, in the precision that it will run in.
        model (nn.Module, optional): its model, of which no values are used; without it, no optimizer is built.
        split (str): what will run: ``train`` (with its validation), ``val`` or ``test``.
        report (Report): takes the errors.

    Returns:
        bool: whether all can be built.
    """
    for key in cfg:
        if key not in KNOWN_KEYS and (near := nearest(key, LONG_KEYS, CERTAIN)):
            name = Path(cfg.filename or "the config").name
            print_log(f"nothing reads {key} of {name}{near}", logger="current", level=logging.WARNING)
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"), _in_silence():
        problems = list(_problems(cfg, model, split))
    for text in problems:
        with report.collect():
            raise ValueError(text)
    return not problems


def _problems(cfg: Config, model: nn.Module | None, split: str) -> Iterator[str]:
    for one, names in NEEDED.items():
        missing = [name for name in names if cfg.get(name) is None]
        if missing and (one == split or len(missing) < len(names)):
            what = dict(train="a training", val="a validation", test="a test")[one]
            text = f"{Path(cfg.filename or 'the config').name} has no {' and no '.join(missing)}, which {what} needs"
            others = " and ".join(name for name in names if name not in missing)
            yield text if one == split else f"{text}: set {'it' if len(missing) == 1 else 'them'}, or {others} to None"
    for one in ["train", "val"] if split == "train" else [split]:
        yield from _loop(cfg.get(f"{one}_cfg"), one)
        yield from _dataloader(cfg.get(f"{one}_dataloader"), f"{one}_dataloader")
        yield from _evaluator(cfg.get(f"{one}_evaluator"), f"{one}_evaluator")
    if split == "train" and model is not None:
        yield from _optimizer(cfg, model)
        yield from _sync_norms(model)
    yield from _visualizer(cfg.get("visualizer"))
    hooks = cfg.get("default_hooks") or {}
    with _visualizer_of(cfg):
        for name, hook in chain(hooks.items(), enumerate(cfg.get("custom_hooks") or [])):
            yield from _hook(hook, name, [other for other in hooks if other != name])
    randomness, processes = cfg.get("randomness") or {}, (cfg.get("env_cfg") or {}).get("mp_cfg") or {}
    yield from (f"randomness: {text}" for text in unknown_settings(Runner.set_randomness, randomness))
    yield from not_whole(randomness, "randomness", 0, "seed")
    yield from (f"env_cfg.mp_cfg: {text}" for text in unknown_settings(set_multi_processing, processes))
    method, methods = processes.get("mp_start_method", "fork"), get_all_start_methods()
    if method not in methods and platform.system() != "Windows":  # where the toolbox does not set it
        yield f"env_cfg.mp_cfg.mp_start_method must be one of {', '.join(methods)}, got {method!r}"
    if not isinstance(logging.getLevelName(level := cfg.get("log_level", "INFO")), int) and not isinstance(level, int):
        yield f"log_level must be the name of a level, such as 'INFO', got {level!r}"
    processor = cfg.get("log_processor")
    if isinstance(processor, Mapping):
        yield from wrong_settings({"type": LogProcessor, **processor}, "log_processor", LOG_PROCESSORS)


def _loop(settings: Mapping | None, split: str) -> Iterator[str]:
    if not isinstance(settings, Mapping):
        return
    default = dict(train=IterBasedTrainLoop, val=ValLoop, test=TestLoop)[split]
    if split == "train" and settings.get("by_epoch"):  # as the Runner reads it
        default = EpochBasedTrainLoop
    where = f"{split}_cfg"
    yield from wrong_settings({"type": default, **settings}, where, LOOPS, also=["by_epoch"])
    yield from not_whole(settings, where, 1, "max_iters", "max_epochs", "val_interval", "val_begin")


def _dataloader(settings: Mapping | None, where: str) -> Iterator[str]:
    if not isinstance(settings, Mapping):
        return
    yield from not_whole(settings, where, 1, "batch_size")
    yield from not_whole(settings, where, 0, "num_workers")
    yield from _dataset(settings.get("dataset"), f"{where}.dataset")
    yield from wrong_settings(settings.get("sampler"), f"{where}.sampler", DATA_SAMPLERS)
    if "sampler" not in settings and "batch_sampler" not in settings:
        yield f"{where} has no sampler: set {where}.sampler=dict(type='DefaultSampler', shuffle=False)"
    yield from wrong_settings(settings.get("batch_sampler"), f"{where}.batch_sampler", DATA_SAMPLERS)
    yield from wrong_settings(settings.get("collate_fn"), f"{where}.collate_fn", FUNCTIONS)
    names = [name for name in settings if name not in LOADER_SETTINGS]
    yield from (f"{where}: {text}" for text in unknown_settings(DataLoader, names))
    if not settings.get("num_workers"):
        for key, unset in (("persistent_workers", False), ("prefetch_factor", None)):
            if settings.get(key):
                yield (
                    f"{where}.{key}={settings[key]} needs workers: set {where}.num_workers to 1 or more, or"
                    f" {where}.{key}={unset}"
                )


def _dataset(settings: object, where: str) -> Iterator[str]:
    """The names of the settings of a data set, and of those in it."""
    if not isinstance(settings, Mapping):
        if settings is None or isinstance(settings, str):
            yield f"{where} must be the settings of a data set, dict(type=...), got {settings!r}"
        return
    yield from wrong_settings(settings, where, DATASETS)
    if "dataset" in settings:
        yield from _dataset(settings["dataset"], f"{where}.dataset")
    inner = settings.get("datasets") or ()
    if not isinstance(inner, Sequence) or isinstance(inner, str):
        yield f"{where}.datasets must be a list of the settings of data sets, got {inner!r}"
        return
    for index, one in enumerate(inner):
        yield from _dataset(one, f"{where}.datasets.{index}")


def _evaluator(settings: object, where: str) -> Iterator[str]:
    """The metrics make their directories when they are built: they are built without those."""
    metrics = settings.get("metrics", settings) if isinstance(settings, Mapping) else settings
    for metric in metrics if isinstance(metrics, Sequence) and not isinstance(metrics, str) else [metrics]:
        if isinstance(metric, Mapping):
            bare = {key: value for key, value in metric.items() if key != "output_dir"}
            yield from wrong_component(lambda bare=bare: _try_metric(copy.deepcopy(bare)), where, metric, METRICS)
        elif metric is not None and not hasattr(metric, "evaluate"):
            yield f"{where} must be a metric or a list of metrics, got {metric!r}"


def _try_metric(settings: dict) -> None:
    metric = METRICS.build(settings)
    if isinstance(metric, IoUMetric):  # which looks at its figures after the first validation
        try:
            metric.total_area_to_metrics(*[torch.ones(2)] * 4, metric.metrics, metric.nan_to_num, metric.beta)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"iou_metrics={metric.metrics!r} has unknown figures: choose of 'mIoU', 'mDice' and 'mFscore'"
            ) from error


def _optimizer(cfg: Config, model: nn.Module) -> Iterator[str]:
    """The optimizer of a model, and the schedules of its rate."""
    if not isinstance(cfg.get("optim_wrapper"), Mapping):
        return
    settings, wrappers = copy.deepcopy(cfg.optim_wrapper), []
    wrong_names = list(wrong_settings(settings.get("optimizer"), "optim_wrapper.optimizer", OPTIMIZERS))
    yield from wrong_names
    if wrong_names:
        return
    if isinstance(settings.get("optimizer"), Mapping):
        settings.optimizer.pop("fused", None)  # it asks for weights on the right device
    build = lambda: wrappers.append(build_optim_wrapper(model, settings))  # noqa: E731
    own = {key: value for key, value in settings.items() if key not in CONSTRUCTOR_SETTINGS}
    yield from wrong_component(build, "optim_wrapper", own, OPTIM_WRAPPERS)
    schedules = cfg.get("param_scheduler") or []
    for index, schedule in enumerate([schedules] if isinstance(schedules, Mapping) else schedules):
        if wrappers and isinstance(schedule, Mapping):
            end = (cfg.get("train_cfg") or {}).get("max_epochs" if schedule.get("by_epoch", True) else "max_iters")
            one = {"end": end or 1, "optimizer": wrappers[0], "epoch_length": 1, **copy.deepcopy(schedule)}
            named = {key: value for key, value in schedule.items() if key != "convert_to_iter_based"}
            build = lambda one=one: PARAM_SCHEDULERS.build(one).step()  # noqa: E731
            yield from wrong_component(build, f"param_scheduler.{index}", named, PARAM_SCHEDULERS)


def _sync_norms(model: nn.Module) -> Iterator[str]:
    """Norms over several processes, of which PyTorch has none for CPUs."""
    if get_world_size() > 1 and not torch.cuda.is_available():
        names = [name for name, module in model.named_modules() if isinstance(module, nn.SyncBatchNorm)]
        if names:
            yield f"{names[0]} is a SyncBN, which needs GPUs: set norm_cfg.type='BN' of that part of the model"


@contextmanager
def _in_silence() -> Iterator[None]:
    """What components tell when they are built is told when they are built to run."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _visualizer_of(cfg: Config) -> Iterator[None]:
    """Let hooks find the runner's visualizer, without any backend, inside of the block."""
    kind, name = class_of(cfg.get("visualizer") or {}, VISUALIZERS), "check of hooks"
    if not isinstance(kind, ManagerMeta):
        kind = visualization.Visualizer
    kind.get_instance(name)
    try:
        yield
    finally:
        kind._instance_dict.pop(name)


def _hook(hook: object, name: str | int, others: Sequence[str]) -> Iterator[str]:
    if not isinstance(hook, Mapping):
        return
    where = f"custom_hooks.{name}" if isinstance(name, int) else f"default_hooks.{name}"
    if "type" not in hook:
        yield f"{where} has no type{nearest(str(name), others)}"
        return
    bare = {key: copy.deepcopy(value) for key, value in hook.items() if key != "priority"}
    yield from not_whole(bare, where, -1, "interval", "max_keep_ckpts")
    yield from wrong_component(lambda: HOOKS.build(bare), where, bare, HOOKS)


def _visualizer(visualizer: object) -> Iterator[str]:
    if not isinstance(visualizer, Mapping):
        return
    yield from wrong_settings(visualizer, "visualizer", VISUALIZERS)
    packages = {getattr(visualization, name, None): needed for name, needed in BACKEND_PACKAGES.items()}
    for index, backend in enumerate(visualizer.get("vis_backends") or []):
        where = f"visualizer.vis_backends.{index}"
        yield from wrong_settings(backend, where, VISBACKENDS)
        needed = packages.get(class_of(backend, VISBACKENDS)) if isinstance(backend, Mapping) else None
        if needed and not is_installed(*needed):
            yield f"{where} cannot be used: {missing_package(needed[0])}"
