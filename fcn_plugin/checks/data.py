"""A check of every image and label before training: all that is wrong, in one error."""

from __future__ import annotations

import inspect
import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS, MODELS
from rich.console import Console
from rich.progress import Progress

from ..datasets.transforms import LoadLabels
from ..utils.config import DATALOADERS, class_of, leaf_datasets
from ..version import __version__
from .cache import CheckCache, stamp_of
from .census import Census, Picture
from .class_pixels import ClassPixels
from .decoder_messages import DecoderMessages
from .findings import Findings
from .report import DataReport
from .samples import SampleCheck, steps_of_others

PROGRESS_AFTER = 3.0  #: seconds after which a progress bar appears
SAMPLES_AT_ONCE = 128  #: for each thread


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


def check_samples(cfgs: Sequence[Config], dataloaders: Sequence[str]) -> list[dict[str, Picture]]:
    """Check all images and labels of some dataloaders, as their pipelines will read them.

    Samples that were found good are not read again until their files or the classes change (:class:`CheckCache`).

    Args:
        cfgs (Sequence[Config]): the configs to train or test with; what they share is checked once.
        dataloaders (Sequence[str]): for example ``["train_dataloader", "val_dataloader"]``.

    Returns:
        list[dict[str, Picture]]: for each config, the largest image of each dataloader.

    Raises:
        ValueError: listing all problems.
    """
    report, done, largest = DataReport(), [], []
    for cfg in cfgs:
        init_default_scope(cfg.get("default_scope") or "mmseg")
        largest.append({})
        for name in dataloaders:
            parts, classes, steps = [], None, []
            for dataset_cfg in leaf_datasets(cfg.get(name)):
                dataset = build_dataset(dataset_cfg, name)
                if dataset is None:
                    continue
                ignore_index = dataset.ignore_index
                if name == "train_dataloader":
                    head = head_of(cfg)
                    ignore_index = head.get("ignore_index", 255)
                    report.add(class_problems(head, dataset))
                census = next((made for key, made in done if key == (dataset_cfg, ignore_index)), None)
                if census is None:
                    check = _build_check(dataset_cfg, dataset, name, ignore_index)
                    census = Census(dataset_cfg, colours_of(dataset, check), int(bool(dataset.reduce_zero_label)))
                    check_dataset(dataset, check, report, census)
                    report.add_census(census)
                    done.append(((dataset_cfg, ignore_index), census))
                    classes = dataset.metainfo["classes"]
                    steps += steps_of_others(dataset_cfg.get("pipeline") or [])
                report.add(band_problems(cfg, census))
                parts.append(census)
            if classes:  # something of it was not told before
                report.add_labels(ClassPixels(name.removesuffix("_dataloader"), classes, ignore_index, parts), steps)
            pictures = [part.largest for part in parts if part.largest]
            if pictures:
                largest[-1][name] = max(pictures, key=lambda picture: picture.width * picture.height)
    report.finish()
    return largest


def _build_check(cfg: ConfigDict, dataset: BaseSegDataset, name: str, ignore_index: int) -> SampleCheck:
    classes, labelled = len(dataset.metainfo["classes"]), name != "test_dataloader"
    try:
        return SampleCheck(cfg.get("pipeline") or [], classes, ignore_index, labelled)
    except (AssertionError, ImportError, KeyError, TypeError, ValueError) as error:
        reason = str(error.args[0] if error.args else error).split("\n")[0]
        raise ValueError(f"the pipeline of {name} cannot be built: {reason}") from error


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
    if scores is None or scores >= classes:
        return Findings()
    text = f"decode_head.num_classes is {scores}, but {type(dataset).__name__} has {classes} classes"
    return Findings([("settings", text)])


def band_problems(cfg: Config, census: Census) -> Findings:
    """Whether the images of a data set have the bands that the model's first layer and its normalization take."""
    model = cfg.model.get("module") or cfg.model  # wrapped for test-time augmentation
    backbone, normalization = model.get("backbone") or {}, model.get("data_preprocessor") or {}
    takes = {"model.backbone.in_channels": backbone.get("in_channels") or _default_bands(backbone)}
    for key in ("mean", "std"):
        values = normalization.get(key)
        takes[f"the length of model.data_preprocessor.{key}"] = len(values) if values and len(values) > 1 else None
    found = []
    for bands, path in census.bands.items():
        wrong = [f"{what} is {number}" for what, number in takes.items() if number not in (None, bands)]
        if wrong:
            found.append(("bands", f"{path}: {bands}, but {', '.join(wrong)}"))
    return Findings(found)


def _default_bands(backbone: ConfigDict) -> int | None:
    kind = class_of(backbone, MODELS)
    parameter = inspect.signature(kind).parameters.get("in_channels") if kind else None
    return parameter.default if parameter and isinstance(parameter.default, int) else None


def colours_of(dataset: BaseSegDataset, check: SampleCheck) -> Sequence | None:
    """RGB of each class of the label files: the palette of LoadLabels, or the data set's, for all its classes."""
    for loader in check.loaders:
        if isinstance(loader, LoadLabels) and loader.colours is not None:
            return loader.colours
    return type(dataset).METAINFO.get("palette") if dataset.label_map else dataset.metainfo.get("palette")


def check_dataset(dataset: BaseSegDataset, check: SampleCheck, report: DataReport, census: Census) -> None:
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
            _note(Findings.from_note(known[stamp]), index, samples, report, census)
    try:
        for index, findings in zip(unknown, _in_threads(check, [samples[index] for index in unknown])):
            _note(findings, index, samples, report, census)
            if stamps[index] and not findings.problems:
                known[stamps[index]] = findings.note()
    finally:
        if unknown:
            cache.save({stamp: known[stamp] for stamp in stamps if stamp in known})


def _note(findings: Findings, index: int, samples: Sequence[dict], report: DataReport, census: Census) -> None:
    report.add(findings, samples[index])
    census.add(findings, index, samples[index])


def _in_threads(check: SampleCheck, samples: Sequence[dict]) -> Iterator[Findings]:
    """Check samples, in order; decoding releases Python's lock, and threads start at once.

    What decoders print while several threads read is of one of these samples: they are read again, one by one.
    """
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pool, start, shown = ThreadPoolExecutor(threads), time.monotonic(), False
    with DecoderMessages() as messages:
        progress = Progress(console=Console(file=messages.terminal))
        task = progress.add_task("Checking the data", total=len(samples))
        try:
            for first in range(0, len(samples), SAMPLES_AT_ONCE * threads):
                part = samples[first : first + SAMPLES_AT_ONCE * threads]
                found = []
                for findings in pool.map(partial(check, messages=messages), part):
                    if not shown and time.monotonic() - start > PROGRESS_AFTER:
                        progress.start()
                        shown = True
                    progress.advance(task)
                    found.append(findings)
                for sample, findings in zip(part, found):
                    yield check(sample, messages, alone=True) if findings.suspect else findings
        finally:
            pool.shutdown(cancel_futures=True)
            if shown:
                progress.stop()
