"""That an evaluation can write its predictions, and has the labels that its figures need."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset
from mmseg.registry import METRICS

from ..datasets.transforms.loading import without_label_loaders
from ..evaluation.fcn_metric import FCNMetric
from ..evaluation.index_png import check_number_of_classes
from ..evaluation.prediction_names import prediction_names
from ..evaluation.writing_metrics import writes_alone, writing_metrics
from ..utils.config import class_of, leaf_datasets
from .data import build_dataset, check_data
from .report import Report


def leave_out_labels(cfg: Config, split: str) -> None:
    """Read no labels in an evaluation that only writes predictions (``format_only``), whether there are some or not."""
    if cfg.get(f"{split}_evaluator") and writes_alone(cfg[f"{split}_evaluator"], split):
        for dataset in leaf_datasets(cfg.get(f"{split}_dataloader")):
            dataset.pipeline = without_label_loaders(dataset.get("pipeline") or [])
            (dataset.get("data_prefix") or {}).pop("seg_map_path", None)


def check_predictions(cfg: Config, split: str, report: Report) -> None:
    """Check what an evaluation writes, and the labels that it needs.

    Args:
        cfg (Config): of the evaluation, after :func:`leave_out_labels`.
        split (str): ``val`` or ``test``.
        report (Report): takes what is wrong: ``format_only`` without a directory, predictions that would overwrite
            each other, and missing labels.
    """
    init_default_scope(cfg.get("default_scope") or "mmseg")
    evaluator, name = cfg.get(f"{split}_evaluator"), f"{split}_evaluator"
    if not evaluator:
        return
    metrics = writing_metrics(evaluator, name)
    for where, metric in metrics.items():
        with report.collect():
            if metric.get("format_only") and not metric.get("output_dir"):
                raise ValueError(
                    f"{where}.format_only=True only writes predictions, but there is no directory for them: give --out"
                    f" DIR, or set {where}.output_dir"
                )
    datasets = _datasets(cfg, f"{split}_dataloader")
    if any(metric.get("output_dir") for metric in metrics.values()) or cfg.get("show_dir"):
        with report.collect():
            _check_names(metrics, datasets)
    if not writes_alone(evaluator, name):
        for settings, dataset in datasets:
            with report.collect():
                _check_labels(settings, dataset, split, next(iter(metrics), None))


def _datasets(cfg: Config, dataloader: str) -> list[tuple[Mapping, BaseSegDataset]]:
    """The data sets that can be built, with their settings; what is wrong with others is told by the data check."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        check_data(cfg, (dataloader,))
        for settings in leaf_datasets(cfg.get(dataloader)):
            dataset = build_dataset(settings, dataloader)
            if dataset is not None and len(dataset):
                found.append((settings, dataset))
    return found


def _check_names(metrics: Mapping[str, Mapping], datasets: list[tuple[Mapping, BaseSegDataset]]) -> None:
    """Check that no prediction overwrites another; the toolbox's own metrics drop the folders of their names."""
    names = prediction_names(*(dataset for _, dataset in datasets))
    for where, metric in metrics.items():
        if not metric.get("output_dir"):
            continue
        if not issubclass(class_of(metric, METRICS), FCNMetric):
            flat: dict[str, str] = {}
            for path, name in names.items():
                if (other := flat.setdefault(Path(name).name, path)) != path:
                    raise ValueError(
                        f"the predictions of {other} and {path} would overwrite each other: set {where}.type=FCNMetric,"
                        " which keeps the folders"
                    )
        for _, dataset in datasets:
            check_number_of_classes(len(dataset.metainfo["classes"]), dataset.reduce_zero_label)


def _check_labels(settings: Mapping, dataset: BaseSegDataset, split: str, metric: str | None) -> None:
    """Check that a data set has labels, and that its pipeline loads that of its first sample."""
    sample, loader = dataset.get_data_info(0), f"{split}_dataloader"
    if not sample.get("seg_map_path"):
        remedy = f"to write predictions without figures, give --out DIR and --cfg-options {metric}.format_only=True"
        raise ValueError(
            f"the data set of {loader} has no labels, so there can be no figures: set its data_prefix.seg_map_path"
            + (f", or, {remedy}" if metric else "")
        )
    if not _loads_label(settings.get("pipeline") or [], sample):
        raise ValueError(
            f"the pipeline of {loader} loads no labels, so there can be no figures: add dict(type='LoadLabels') before"
            " dict(type='PackSegInputs')"
        )


def _loads_label(pipeline: Sequence[Mapping], sample: dict) -> bool:
    """Whether a pipeline makes a label of a sample; what cannot be read at all is told by the data check."""
    try:
        packed = Compose(pipeline)(sample)["data_samples"]
    except Exception:  # whatever a transform makes of a broken file
        return True
    return "gt_sem_seg" in (packed[0] if isinstance(packed, list) else packed)
