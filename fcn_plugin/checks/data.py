"""A check of every image and label before training: all that is wrong, in one error."""

from __future__ import annotations

import inspect
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
from ..models.data_preprocessors import BandsDataPreProcessor
from ..utils.building import BUILD_ERRORS, explain
from ..utils.config import DATALOADERS, class_of, leaf_datasets
from ..utils.images import is_remote
from ..utils.text import summarize
from ..version import __version__
from .cache import CheckCache, stamp_of
from .census import Census, Picture
from .class_pixels import ClassPixels
from .decoder_messages import DecoderMessages
from .findings import Findings
from .lists import check_names, check_text, nearest
from .loaders import LOCAL, loaders_of, reads_local_files
from .parts import build_steps, parts_of
from .report import DataReport, Report
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
            root = dataset.get("data_root") or ""
            prefixes = (dataset.get("data_prefix") or {}).values() if reads_files(dataset) else ()
            for path in (*prefixes, dataset.get("ann_file")):
                if not path or is_remote(str(path)) or is_remote(root) or (place := Path(root, path)).exists():
                    continue
                raise FileNotFoundError(
                    f"{name} needs {place}, which does not exist{nearest(place)}. {cfg.get('data_help', '')}".rstrip()
                    + " If it is elsewhere, give its root with --data-root."
                )


def check_lists(cfg: Config, dataloaders: Sequence[str], report: Report) -> bool:
    """Check that the lists of the data sets can be read, and that their names are those of files.

    Args:
        cfg (Config): whose data is there, see :func:`check_data`.
        dataloaders (Sequence[str]): which of its dataloaders.
        report (Report): takes what is wrong.

    Returns:
        bool: whether all lists are right.
    """
    passed = []
    for name in dataloaders:
        for part in parts_of(cfg, name):
            passed.append(False)
            with report.collect():
                dataset = build_dataset(part.cfg, name)
                if dataset is not None and reads_files(part.cfg):
                    check_names(dataset, part.name, report)
                passed[-1] = True
    return all(passed)


def reads_files(dataset: ConfigDict) -> bool:
    """Whether the images and labels of a data set are read from the file system."""
    try:
        loaders = loaders_of(dataset.get("pipeline") or [])
    except BUILD_ERRORS:  # is told by the check of its steps
        loaders = []
    of_list = (dataset.get("backend_args") or {}).get("backend") in LOCAL
    return of_list and all(reads_local_files(loader) for loader in loaders)


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
            censuses, names, others = [], None, []
            for part in parts_of(cfg, name):
                dataset = build_dataset(part.cfg, name)
                if dataset is None:
                    continue
                ignore_index = dataset.ignore_index
                if name == "train_dataloader":
                    ignore_index = head_of(cfg).get("ignore_index", 255)
                census = next((made for key, made in done if key == (part.cfg, ignore_index)), None)
                if census is None:
                    names, labelled = dataset.metainfo["classes"], name != "test_dataloader"
                    steps = build_steps(part)
                    others += steps_of_others(steps)
                    check = SampleCheck(loaders_of(steps, dataset.data_list[:1]), len(names), ignore_index, labelled)
                    census = Census(part.cfg, colours_of(dataset, check), int(bool(dataset.reduce_zero_label)))
                    check_dataset(dataset, check, report, census)
                    report.add_census(census)
                    done.append(((part.cfg, ignore_index), census))
                report.add(band_problems(cfg, census))
                censuses.append(census)
            if names:  # something of it was not told before
                report.add_labels(ClassPixels(name.removesuffix("_dataloader"), names, ignore_index, censuses), others)
            pictures = [census.largest for census in censuses if census.largest]
            if pictures:
                largest[-1][name] = max(pictures, key=lambda picture: picture.width * picture.height)
    report.finish()
    return largest


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
        check_classes(cfg, kind)
        dataset = DATASETS.build({**cfg, "pipeline": [], "lazy_init": True})
        dataset.serialize_data = False  # the toolbox fails to serialize an empty list
        if type(dataset).load_data_list is BaseSegDataset.load_data_list:
            check_text(dataset)
        dataset.full_init()
    except BUILD_ERRORS as error:
        reason = explain(error, cfg).removeprefix(f"{getattr(kind, '__name__', None)}: ")
        raise ValueError(f"{what} cannot be built: {reason}") from error
    if not dataset.metainfo.get("classes"):
        raise ValueError(f"{what} has no classes: give it metainfo=dict(classes=..., palette=...)")
    return dataset


def check_classes(cfg: ConfigDict, kind: type | None) -> None:
    """Check the names of classes, and the number of their colours, in the settings of a data set.

    Raises:
        ValueError: for a text in place of several names, for a name twice, and for another number of colours.
    """
    given = cfg.get("metainfo") or {}
    if not isinstance(given, Mapping):
        raise ValueError(f"metainfo must be dict(classes=..., palette=...), got {given!r}")
    classes, palette = given.get("classes"), given.get("palette")
    if classes is None:
        classes = getattr(kind, "METAINFO", {}).get("classes")
    if isinstance(classes, str) and not os.path.isfile(classes):
        raise ValueError(
            f"classes={classes!r} is a text, not a list of names (nor a file of them): write"
            f" classes=({classes!r},), with a comma"
        )
    if not isinstance(classes, (list, tuple)):
        return
    if twice := [name for name, times in Counter(map(str, classes)).items() if times > 1]:
        raise ValueError(f"its classes have the same name twice: {summarize(twice)}")
    if isinstance(palette, (list, tuple)) and palette and len(palette) != len(classes) and "classes" in given:
        raise ValueError(f"it has {len(classes)} classes and a palette of {len(palette)} colours: give one to each")


def head_of(cfg: Config) -> dict:
    """The decode head's settings, of a cascade the last one's."""
    head = cfg.model.get("decode_head") or {}
    return head[-1] if isinstance(head, list) else head


def band_problems(cfg: Config, census: Census) -> Findings:
    """Whether the images of a data set have the bands that the model's first layer and its normalization take."""
    model = cfg.model.get("module") or cfg.model  # wrapped for test-time augmentation
    backbone, normalization = model.get("backbone") or {}, model.get("data_preprocessor") or {}
    takes = {"model.backbone.in_channels": backbone.get("in_channels") or _default_bands(backbone)}
    kind = class_of(normalization, MODELS) if normalization else None
    least = 1 if isinstance(kind, type) and issubclass(kind, BandsDataPreProcessor) else 2  # one value is for all bands
    for key in ("mean", "std"):
        values = normalization.get(key)
        takes[f"the length of model.data_preprocessor.{key}"] = len(values) if values and len(values) >= least else None
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
