"""Whether training samples are the same when they are read again, tried before training."""

from __future__ import annotations

import copy
import itertools
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmcv.transforms import Compose as TransformCompose
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch.utils.data import DataLoader

from ..datasets.seeded_reading import SeededReading, parts_of
from ..utils.seeding import generators_kept
from ..utils.text import first_line

SAMPLES = 6  #: to read twice; a transform that acts on every second sample is missed in 1 of 60 cases
LOST = "An interrupted run will not end with the weights that it would have had without the interruption"


def check_seeding(cfgs: Sequence[Config]) -> None:
    """Read a few samples of the training data twice, and warn if they differ, or if the run has no seed.

    Args:
        cfgs (Sequence[Config]): the configs to train with; dataloaders that they share are tried once.

    Raises:
        ValueError: if a dataloader cannot be built, or a sample cannot be read.
    """
    problems: list[str | None] = []
    done: list[Mapping] = []
    for cfg in cfgs:
        if (cfg.get("randomness") or {}).get("seed") is None:
            problems.append(
                f"the run has no seed: after a stop, samples come in another order. {LOST}: set randomness.seed"
            )
        settings = cfg.get("train_dataloader")
        if isinstance(settings, Mapping) and settings not in done:
            done.append(settings)
            init_default_scope(cfg.get("default_scope") or "mmseg")
            with generators_kept():
                problems.append(unseeded_part(build_loader(settings)))
    for problem in dict.fromkeys(filter(None, problems)):
        print_log(problem, logger="current", level=logging.WARNING)


def build_loader(settings: Mapping) -> DataLoader:
    """Build a training dataloader that reads in this process; raises ValueError if the toolbox refuses."""
    settings = copy.deepcopy(dict(settings, num_workers=0, persistent_workers=False))
    settings.pop("prefetch_factor", None)
    try:
        return Runner.build_dataloader(settings, seed=0)
    except Exception as error:  # whatever a dataset, a transform or a sampler makes of its settings
        raise ValueError(f"train_dataloader cannot be built: {first_line(error)}") from error


def unseeded_part(loader: DataLoader) -> str | None:
    """What makes samples of a dataloader differ from one reading to the next, and what to do; None if they do not.

    Raises:
        ValueError: if a sample cannot be read.
    """
    batches = [loader.sampler] if loader.batch_sampler is None else loader.batch_sampler
    indices = list(itertools.islice(itertools.chain.from_iterable(batches), SAMPLES))
    if all(same(read(loader, index), read(loader, index)) for index in indices):
        return None
    if any(not hasattr(index, "seed") for index in indices):
        sampler = type(getattr(batches, "sampler", loader.sampler)).__name__
        return (
            f"{sampler} of train_dataloader gives samples no seed, and their transforms draw random numbers. {LOST}:"
            " set sampler=dict(type='SeededInfiniteSampler'), or 'SeededDefaultSampler' for epochs"
        )
    step = unseeded_step(loader.dataset, indices)
    return (
        f"{step} of train_dataloader draws random numbers that the seed of a sample does not reach. {LOST}: draw from"
        " Python's, numpy's or torch's default generator, or give it a method set_random_seed(seed)"
    )


def read(loader: DataLoader, index: int) -> Any:
    """A sample, as the dataloader reads it; raises ValueError if it cannot be read."""
    dataset = loader.dataset
    in_batches = loader.batch_sampler is not None and hasattr(dataset, "__getitems__")
    try:
        return dataset.__getitems__([index])[0] if in_batches else dataset[index]
    except Exception as error:  # whatever a transform makes of a picture
        owners = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
        steps = [type(owner).__name__ for owner in owners if isinstance(owner, BaseTransform)]
        where = steps[-1] if steps else type(dataset).__name__
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ValueError(
            f"train_dataloader cannot read its sample {int(index)}: {where} ends with {what.strip().splitlines()[0]}"
        ) from error


def unseeded_step(dataset: Any, indices: Sequence[int]) -> str:
    """The name of a transform whose outcome differs for the same seed; that of the dataset, if it is none of them."""
    for part in parts_of(dataset):
        if isinstance(part, BaseDataset):
            for index in indices:
                reading = SeededReading(part)
                results = part.get_data_info(int(index) % len(part))
                for step in steps_of(part.pipeline):
                    outcomes = []
                    for _ in range(2):
                        reading.seed(index.seed)
                        outcomes.append(step(copy.deepcopy(results)))
                    if not same(*outcomes):
                        return type(step).__name__
                    if (results := outcomes[0]) is None:
                        break
    return type(dataset).__name__


def steps_of(pipeline: Callable) -> list[Callable]:
    """The steps of a pipeline, those of pipelines in it included."""
    if not isinstance(pipeline, (Compose, TransformCompose)):
        return [pipeline]
    return [step for part in pipeline.transforms for step in steps_of(part)]


def same(first: Any, second: Any) -> bool:
    """Whether two samples have the same values; objects that are no data are passed over."""
    if isinstance(first, BaseDataElement) and isinstance(second, BaseDataElement):
        return same(dict(first.all_items()), dict(second.all_items()))
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return torch.equal(first.nan_to_num(), second.nan_to_num())
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return first.shape == second.shape and first.tobytes() == second.tobytes()
    plain = (bool, int, float, str, bytes, np.generic, type(None))
    return not isinstance(first, plain) or not isinstance(second, plain) or first == second
