"""The names and colours of the classes that a model predicts."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmseg.registry import DATASETS

from ...utils.config import DATALOADERS, leaf_datasets


def class_meta(num_classes: int, cfg: Config, checkpoint_meta: Mapping, dataset: str | None = None) -> dict:
    """Names and colours: those of a given data set, or those with which the weights were saved, or the config's.

    If none of them has as many as the model, classes are numbered, and colours made up; there is a warning.

    Args:
        num_classes (int): of the model.
        cfg (Config): with the dataloaders that tell its data set.
        checkpoint_meta (Mapping): ``meta`` of the weights, of which ``dataset_meta`` is used.
        dataset (str, optional): name of a registered data set, such as ``PascalVOCDataset``.

    Returns:
        dict: ``classes``, list[str], and ``palette``, list of RGB, of ``num_classes`` each.

    Raises:
        ValueError: if the given data set is not known, or has another number of classes.
    """
    if dataset is not None:
        meta = _declared(dict(type=dataset))
        if not meta.get("classes"):
            raise ValueError(f"there is no data set {dataset!r} with names and colours: give one such as ShapesDataset")
        if len(meta["classes"]) != num_classes:
            raise ValueError(f"{dataset} has {len(meta['classes'])} classes, the model {num_classes}")
        return _complete(meta)
    for meta in (checkpoint_meta.get("dataset_meta") or {}, *_declared_by(cfg)):
        classes = meta.get("classes")
        if isinstance(classes, (list, tuple)) and len(classes) == num_classes:
            return _complete(meta)
    print_log(
        f"neither the weights nor the config have names for the {num_classes} classes of the model: they are numbered",
        logger="current",
        level=logging.WARNING,
    )
    return _complete(dict(classes=[f"class {index}" for index in range(num_classes)]))


def _declared_by(cfg: Config) -> Iterator[dict]:
    for name in reversed(DATALOADERS):  # the test set's first
        for dataset in leaf_datasets((cfg.get(name) or {}).get("dataset") or {}):
            yield _declared(dataset)


def _declared(dataset: Mapping) -> dict:
    """What a data set says of its classes, without its files."""
    kind = dataset.get("type")
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    return {**getattr(kind, "METAINFO", {}), **(dataset.get("metainfo") or {})}


def _complete(meta: Mapping) -> dict:
    classes, palette = [str(name) for name in meta["classes"]], meta.get("palette")
    if palette is None or len(palette) != len(classes):
        palette = np.random.default_rng(42).integers(0, 256, (len(classes), 3))
    return dict(classes=classes, palette=[[int(value) for value in colour] for colour in palette])
