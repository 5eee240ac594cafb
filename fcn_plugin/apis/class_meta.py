"""The names and colours of the classes that a model predicts."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmseg.registry import DATASETS

from ..checks.data import head_of
from ..utils.config import DATALOADERS, class_of, leaf_datasets


def known_class_meta(num_classes: int, cfg: Config, checkpoint_meta: Mapping) -> dict[str, list]:
    """Names and RGB colours with which the weights were saved, or else those of the config's data sets.

    Args:
        num_classes (int): of the model.
        cfg (Config): with the dataloaders that tell its data set, of which the test set's comes first.
        checkpoint_meta (Mapping): ``meta`` of the weights, of which ``dataset_meta`` is used.

    Returns:
        dict[str, list]: ``classes`` and ``palette``; without what is not known for ``num_classes``.
    """
    datasets = [dataset for name in reversed(DATALOADERS) for dataset in leaf_datasets(cfg.get(name))]
    for meta in (checkpoint_meta.get("dataset_meta") or {}, *map(_declared, datasets)):
        classes, palette = meta.get("classes"), meta.get("palette")
        if isinstance(classes, (list, tuple)) and len(classes) == num_classes:
            found = dict(classes=[str(name) for name in classes])
            if palette is not None and len(palette) == num_classes:
                found["palette"] = [[int(value) for value in colour] for colour in palette]
            return found
    return {}


def note_classes(checkpoint: Mapping, cfg: Config) -> None:
    """Note in imported weights the names and colours of the config that they are for, if it has them.

    Without any, the toolbox's MMSegInferencer shows Cityscapes' 19. A training of this package has noted its own.

    Args:
        checkpoint (Mapping): as from :func:`import_weights`, of a segmentor; its ``meta`` is changed.
        cfg (Config): that it fits.
    """
    meta, classes = checkpoint["meta"], head_of(cfg).get("num_classes", 0)
    if "dataset_meta" not in meta or "source" in meta:
        meta.update({"dataset_meta": found} if (found := known_class_meta(classes, cfg, {})) else {})


def class_meta(num_classes: int, cfg: Config, checkpoint_meta: Mapping, dataset: str | None = None) -> dict[str, list]:
    """Names and colours: those of a given data set, or by :func:`known_class_meta`.

    If none of them has as many as the model, classes are numbered, with a warning; missing colours are made up.

    Args:
        num_classes (int): of the model.
        cfg (Config): as there.
        checkpoint_meta (Mapping): as there.
        dataset (str, optional): name of a registered data set, such as ``PascalVOCDataset``.

    Returns:
        dict[str, list]: ``classes``, list[str], and ``palette``, list of RGB, of ``num_classes`` each; and
        ``reduce_zero_label``, if it is true (:func:`reduces_zero_label`).

    Raises:
        ValueError: if the given data set is not known, or has another number of classes.
    """
    if dataset is not None:
        declared = _declared(dict(type=dataset))
        if not declared.get("classes"):
            raise ValueError(f"there is no data set {dataset!r} with names and colours: give one such as ShapesDataset")
        if len(declared["classes"]) != num_classes:
            raise ValueError(f"{dataset} has {len(declared['classes'])} classes, the model {num_classes}")
        checkpoint_meta = dict(dataset_meta=declared)
    found = known_class_meta(num_classes, cfg, checkpoint_meta)
    if not found:
        what = f"the {num_classes} classes of the model"
        print_log(
            f"neither the weights nor the config have names for {what}: they are numbered", "current", logging.WARNING
        )
    made_up = np.random.default_rng(42).integers(0, 256, (num_classes, 3)).tolist()
    if reduces_zero_label(cfg, checkpoint_meta):
        found["reduce_zero_label"] = True
    return {"classes": [f"class {index}" for index in range(num_classes)], "palette": made_up, **found}


def reduces_zero_label(cfg: Config, checkpoint_meta: Mapping) -> bool:
    """Whether the files of the config's data set have the first class as 1, and 0 for what is no class.

    That is ``reduce_zero_label`` of the data set that is tested, validated or trained on, as it is set or as its class
    has it, and without any, of that which the weights were trained on.
    """
    saved = bool((checkpoint_meta.get("dataset_meta") or {}).get("reduce_zero_label"))
    dataset = next((one for name in reversed(DATALOADERS) for one in leaf_datasets(cfg.get(name))), {})
    if "reduce_zero_label" in dataset:
        return bool(dataset["reduce_zero_label"])
    try:
        return bool(DATASETS.build({**dataset, "pipeline": [], "lazy_init": True}).reduce_zero_label)
    except Exception:  # of a data set that is not here, or of another kind
        return saved


def _declared(dataset: Mapping) -> dict:
    """What a data set says of its classes, without its files."""
    return {**getattr(class_of(dataset, DATASETS), "METAINFO", {}), **(dataset.get("metainfo") or {})}
