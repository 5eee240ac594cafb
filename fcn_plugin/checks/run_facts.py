"""The facts of a training on which its weights depend, as plain data, to be noted in its checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.hooks import EMAHook
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope, Registry
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATA_SAMPLERS, DATASETS, OPTIM_WRAPPERS, OPTIMIZERS

from ..utils.config import class_of, configured_hooks, counts_epochs, leaf_datasets
from .data import build_dataset

#: Settings that do not change the weights that a training ends with: where it starts, and how it computes.
WITHOUT_EFFECT = ("init_cfg", "pretrained", "test_cfg", "with_cp", "fused", "foreach", "capturable")


def run_facts(cfg: Config) -> dict[str, Any]:
    """What the weights at the end of a config's training depend on, by setting; numbers, texts, lists and dicts.

    Args:
        cfg (Config): of a training, with the precision set; its processes have been started.

    Returns:
        dict: without ``data``, ``pipeline`` and ``classes`` if the train set cannot be built, which other checks tell.
    """
    loader, wrapper = cfg.get("train_dataloader") or {}, cfg.get("optim_wrapper") or {}
    optimizer = dict(wrapper.get("optimizer") or {})
    return {
        **_data(cfg),
        "train_dataloader.batch_size": loader.get("batch_size"),
        "train_dataloader.batch_sampler": plain(loader.get("batch_sampler")),
        "train_dataloader.sampler": _component(loader.get("sampler"), DATA_SAMPLERS),
        "processes": get_world_size(),
        "precision": _precision(wrapper),
        "optim_wrapper.optimizer.type": _class_name(optimizer, OPTIMIZERS),
        "optim_wrapper.optimizer": plain({key: value for key, value in optimizer.items() if key != "type"}),
        "optim_wrapper.paramwise_cfg": plain(wrapper.get("paramwise_cfg")),
        "optim_wrapper.accumulative_counts": wrapper.get("accumulative_counts", 1),
        "optim_wrapper.clip_grad": plain(wrapper.get("clip_grad")),
        "auto_scale_lr": plain(cfg.get("auto_scale_lr")),
        "length": cfg.train_cfg.max_epochs if counts_epochs(cfg) else cfg.train_cfg.max_iters,
        "param_scheduler": schedule(cfg),
        "randomness.seed": (cfg.get("randomness") or {}).get("seed"),
        "EMAHook": [plain(hook) for hook in configured_hooks(cfg, EMAHook)],
        "model": plain(cfg.get("model")),
    }


def schedule(cfg: Config) -> list | dict:
    """A config's ``param_scheduler`` as the runner resolves it: a schedule ends with the training unless it says so."""
    train_cfg = cfg.train_cfg
    epochs = counts_epochs(cfg)

    def resolve(settings: Any) -> Any:
        if isinstance(settings, Mapping) and "type" in settings:
            if epochs:
                end = train_cfg.max_epochs if settings.get("by_epoch", True) else f"{train_cfg.max_epochs} epochs"
            else:
                end = 1 if settings.get("by_epoch", True) else train_cfg.max_iters
            return {"end": end, **_component(settings, PARAM_SCHEDULERS)}
        if isinstance(settings, Mapping):  # of several optimizers
            return {name: resolve(value) for name, value in settings.items()}
        return [resolve(one) for one in settings] if isinstance(settings, (list, tuple)) else plain(settings)

    settings = cfg.get("param_scheduler") or []
    return resolve([settings] if isinstance(settings, Mapping) and "type" in settings else settings)


def classes_of(cfg: Config, dataloader: str) -> list[str] | None:
    """The names of the classes of a dataloader's first data set, without reading its files; None if it has none."""
    dataset = next(leaf_datasets(cfg.get(dataloader)), None)
    kind = class_of(dataset, DATASETS) if dataset else None
    if not isinstance(kind, type) or not issubclass(kind, BaseSegDataset):
        return None
    try:
        with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"):
            built = DATASETS.build({**dataset, "pipeline": [], "lazy_init": True})
    except Exception:  # the check of the data tells
        return None
    classes = built.metainfo.get("classes")
    return [str(name) for name in classes] if classes else None


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The smallest parts in which two plain values differ: where, old and new; None for what is not there."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and _nested(old) and _nested(new):
        for index, pair in enumerate(zip(old, new)):
            yield from differences(*pair, f"{path}.{index}")
    elif old != new:
        yield path, old, new


def plain(value: Any) -> Any:
    """Settings as numbers, texts, lists and dicts alone, without those that have no effect on the weights."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items() if key not in WITHOUT_EFFECT}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    kind = value if hasattr(value, "__qualname__") else type(value)  # texts of objects have their addresses
    return f"{kind.__module__}.{kind.__qualname__}"


def _nested(values: list) -> bool:
    return any(isinstance(value, (dict, list)) for value in values)


def _component(settings: Mapping | None, registry: Registry) -> dict | None:
    if not isinstance(settings, Mapping):
        return plain(settings)
    return {**plain(settings), "type": _class_name(settings, registry)}


def _class_name(settings: Mapping, registry: Registry) -> str | None:
    kind = class_of(settings, registry)
    return settings.get("type") if kind is None else plain(kind)


def _precision(wrapper: Mapping) -> str:
    kind = class_of({"type": "OptimWrapper", **wrapper}, OPTIM_WRAPPERS)
    if isinstance(kind, type) and issubclass(kind, AmpOptimWrapper):
        return str(wrapper.get("dtype") or "float16")
    return getattr(kind, "precision", "float32")


def _data(cfg: Config) -> dict[str, Any]:
    """Pictures, classes and pipelines of the train set."""
    dataset = (cfg.get("train_dataloader") or {}).get("dataset")
    try:
        with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"):
            samples = _samples(dataset)
    except (FileNotFoundError, ValueError):
        return {}
    facts = {"data": samples, "pipeline": [plain(leaf.get("pipeline")) for leaf in leaf_datasets(dataset)]}
    classes = classes_of(cfg, "train_dataloader")
    return {**facts, "classes": classes} if classes else facts


def _samples(dataset: Mapping | None) -> Any:
    """How many pictures there are, a digest of their names, and how labels are read; for a wrapper, what is in it."""
    if not dataset:
        return None
    inner = [name for name in ("dataset", "datasets") if name in dataset]
    if inner:
        rest = {key: value for key, value in dataset.items() if key not in (*inner, "pipeline", "type")}
        parts = dataset["datasets"] if "datasets" in dataset else [dataset["dataset"]]
        return {**plain(rest), "of": [_samples(part) for part in parts]}
    kind = class_of(dataset, DATASETS)
    if not isinstance(kind, type) or not issubclass(kind, BaseSegDataset):
        return plain({key: value for key, value in dataset.items() if key not in ("pipeline", "data_root")})
    built = build_dataset(dataset, "train_dataloader")
    prefixes = {key: str(value or "") for key, value in built.data_prefix.items()}
    digest = hashlib.sha256()
    for sample in built.data_list:
        for key in ("img_path", "seg_map_path"):
            folder = prefixes.get(key, "")
            name = str(sample.get(key)).removeprefix(folder).lstrip("/")  # the data may have been moved
            digest.update(f"{Path(folder).name}/{name}\n".encode())
    return {
        "pictures": f"{len(built.data_list)} ({digest.hexdigest()[:12]})",
        "reduce_zero_label": plain(built.reduce_zero_label),
        "ignore_index": plain(built.ignore_index),
    }
