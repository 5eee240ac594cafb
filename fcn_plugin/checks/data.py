"""A check of every image and label before training: all that is wrong, in one error."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from rich.console import Console
from rich.progress import Progress

from ..utils.building import BUILD_ERRORS, explain
from ..utils.config import DATALOADERS, class_of, leaf_datasets
from ..version import __version__
from .cache import CheckCache, stamp_of
from .report import DataReport
from .samples import Findings, SampleCheck

PROGRESS_AFTER = 3.0  #: seconds after which a progress bar appears


def check_data(cfg: Config, dataloaders: Sequence[str] = DATALOADERS) -> None:
    """Check that the directories and lists of the datasets exist.

    Raises:
        FileNotFoundError: naming the path and the command that makes it (``data_help`` of the config).
    """
    for name in dataloaders:
        for dataset in leaf_datasets(cfg.get(name)):
            root = Path(dataset.get("data_root") or "")
            for path in (*(dataset.get("data_prefix") or {}).values(), dataset.get("ann_file")):
                if path and not (root / path).exists():
                    raise FileNotFoundError(
                        f"{name} needs {root / path}, which does not exist. {cfg.get('data_help', '')}".rstrip()
                        + " If it is elsewhere, give its root with --data-root."
                    )


def check_samples(cfgs: Sequence[Config], dataloaders: Sequence[str]) -> None:
    """Check all images and labels of some dataloaders, as their pipelines will read them.

    Samples that were found good are not read again until their files or the classes change (:class:`CheckCache`).

    Args:
        cfgs (Sequence[Config]): the configs to train or test with; what they share is checked once.
        dataloaders (Sequence[str]): for example ``["train_dataloader", "val_dataloader"]``.

    Raises:
        ValueError: listing all problems.
    """
    report, done = DataReport(), []
    for cfg in cfgs:
        init_default_scope(cfg.get("default_scope") or "mmseg")
        for name in dataloaders:
            for dataset_cfg in leaf_datasets(cfg.get(name)):
                dataset = build_dataset(dataset_cfg, name)
                if dataset is None:
                    continue
                ignore_index = dataset.ignore_index
                if name == "train_dataloader":
                    head = head_of(cfg)
                    ignore_index = head.get("ignore_index", 255)
                    report.add(class_problems(head, dataset))
                if (dataset_cfg, ignore_index) not in done:
                    done.append((dataset_cfg, ignore_index))
                    classes = len(dataset.metainfo["classes"])
                    pipeline, labelled = dataset_cfg.get("pipeline") or [], name != "test_dataloader"
                    try:
                        check = SampleCheck(pipeline, classes, ignore_index, labelled)
                    except BUILD_ERRORS as error:
                        reason = explain(error, dataset_cfg, f"{name}.dataset")
                        raise ValueError(f"the pipeline of {name} cannot be built: {reason}") from error
                    check_dataset(dataset, check, report)
    report.finish()


def build_dataset(cfg: ConfigDict, name: str) -> BaseSegDataset | None:
    """Build a dataset with its list of samples and without its pipeline.

    Returns:
        BaseSegDataset | None: None, with a warning, for a dataset of another kind, which cannot be checked.

    Raises:
        ValueError: naming the dataloader, if the toolbox refuses, or if there are no classes.
    """
    kind = class_of(cfg, DATASETS)
    what = f"the {getattr(kind, '__name__', cfg.get('type'))} of {name}"
    if isinstance(kind, type) and not issubclass(kind, BaseSegDataset):
        print_log(f"{what} is no BaseSegDataset: it is not checked", logger="current", level=logging.WARNING)
        return None
    try:
        dataset = DATASETS.build({**cfg, "pipeline": [], "lazy_init": True})
        dataset.serialize_data = False  # the toolbox fails to serialize an empty list
        dataset.full_init()
    except (AssertionError, OSError, ValueError) as error:
        raise ValueError(f"{what} cannot be built: {error}") from error
    if not dataset.metainfo.get("classes"):
        raise ValueError(f"{what} has no classes: give it metainfo=dict(classes=..., palette=...)")
    return dataset


def head_of(cfg: Config) -> dict:
    """The decode head's settings, of a cascade the last one's."""
    head = cfg.model.get("decode_head") or {}
    return head[-1] if isinstance(head, list) else head


def class_problems(head: dict, dataset: BaseSegDataset) -> Findings:
    """Whether the decode head has fewer classes than the labels that it is trained on."""
    classes, scores = len(dataset.metainfo["classes"]), head.get("num_classes")
    if not isinstance(scores, int) or scores >= classes:
        return Findings()
    text = f"decode_head.num_classes is {scores}, but {type(dataset).__name__} has {classes} classes"
    return Findings([("settings", text)])


def check_dataset(dataset: BaseSegDataset, check: SampleCheck, report: DataReport) -> None:
    """Check the samples of a dataset that are not known to be good, in as many threads as there are processors."""
    samples = dataset.data_list
    if not samples:
        report.add(Findings([("empty", f"{dataset.ann_file or dataset.data_prefix}")]))
        return
    cache = CheckCache(f"{os.path.abspath(dataset.ann_file)} {dataset.data_prefix}", f"{__version__} {check.settings}")
    known = cache.load()
    stamps = [stamp_of(sample) for sample in samples]
    unknown = [index for index, stamp in enumerate(stamps) if stamp not in known]
    for index, stamp in enumerate(stamps):
        if stamp in known:
            report.add(Findings([], *known[stamp]), samples[index])
    try:
        for index, findings in zip(unknown, _in_threads(check, [samples[index] for index in unknown])):
            report.add(findings, samples[index])
            if stamps[index] and not findings.problems:
                known[stamps[index]] = [findings.unknown_pixels, findings.turned]
    finally:
        if unknown:
            cache.save({stamp: known[stamp] for stamp in stamps if stamp in known})


def _in_threads(check: SampleCheck, samples: Sequence[dict]) -> Iterator[Findings]:
    """Check samples, in order; decoding releases Python's lock, and threads start at once."""
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    progress = Progress(console=Console(stderr=True))
    task = progress.add_task("Checking the data", total=len(samples))
    start, shown = time.monotonic(), False
    try:
        for findings in pool.map(check, samples):
            if not shown and time.monotonic() - start > PROGRESS_AFTER:
                progress.start()
                shown = True
            progress.advance(task)
            yield findings
    finally:
        pool.shutdown(cancel_futures=True)
        if shown:
            progress.stop()
