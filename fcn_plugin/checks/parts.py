"""The data sets of a dataloader, wherever they stand in it, and the steps of their pipelines."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmcv.transforms import BaseTransform
from mmcv.transforms import Compose as TransformCompose
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmseg.registry import TRANSFORMS

from ..utils.building import BUILD_ERRORS, explain

Step = Mapping | Callable
TRAINING = "train_dataloader"


@dataclass(frozen=True, eq=False)
class Part:
    """A data set inside the toolbox's wrappers, such as ConcatDataset and MultiImageMixDataset.

    Attributes:
        name: where its settings stand, such as ``train_dataloader.dataset.datasets.0``.
        loader: of which dataloader it is.
        cfg: its settings.
        pipeline: its steps, and behind them those of the wrappers around it.
    """

    name: str
    loader: str
    cfg: ConfigDict
    pipeline: tuple[Step, ...]


def parts_of(cfg: Config, loader: str) -> Iterator[Part]:
    """The data sets of a dataloader; none of one that is None."""
    dataset = (cfg.get(loader) or {}).get("dataset")
    if dataset:
        yield from _parts(dataset, f"{loader}.dataset", loader, ())


def _parts(dataset: ConfigDict, name: str, loader: str, outer: tuple[Step, ...]) -> Iterator[Part]:
    pipeline = (*(dataset.get("pipeline") or ()), *outer)
    if dataset.get("datasets"):
        for number, inner in enumerate(dataset["datasets"]):
            yield from _parts(inner, f"{name}.datasets.{number}", loader, pipeline)
    elif dataset.get("dataset"):
        yield from _parts(dataset["dataset"], f"{name}.dataset", loader, pipeline)
    else:
        yield Part(name, loader, dataset, pipeline)


def steps_of(pipeline: Sequence[Step]) -> list[Callable]:
    """The steps of a pipeline, built, and in place of those that hold others these, wherever they stand.

    Raises:
        ValueError: for a step that cannot be built.
    """
    steps: list[Callable] = []
    for step in pipeline:
        steps += _flat(build_step(step))
    return steps


def build_step(step: Step) -> Callable:
    """A step of a pipeline, built; its settings stay as they are."""
    return TRANSFORMS.build(copy.deepcopy(step)) if isinstance(step, Mapping) else step


def _flat(step: Callable) -> list[Callable]:
    inner = _inner(step)
    return [one for part in inner for one in _flat(part)] if inner else [step]


def _inner(step: Callable) -> list[Callable]:
    """What a step holds: as RandomApply, RandomChoice and TestTimeAug, or one of a user's, do."""
    if isinstance(step, (TransformCompose, Compose)):
        return list(step.transforms)
    held: list[Any] = []
    for value in (getattr(step, name, None) for name in ("transforms", "subroutines")):
        held += value if isinstance(value, (list, tuple)) else [value]
    return [one for one in held if isinstance(one, (BaseTransform, Compose))]


def build_steps(part: Part) -> list[Callable]:
    """The steps of a data set's pipeline, as :func:`steps_of`.

    Raises:
        ValueError: naming the dataloader, for a step that the toolbox refuses.
    """
    try:
        return steps_of(part.pipeline)
    except BUILD_ERRORS as error:
        raise ValueError(
            f"the pipeline of {part.loader} cannot be built: {explain(error, part.cfg, part.name)}"
        ) from error
