"""Samples whose random numbers depend on their seed alone, whatever wraps the dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from torch.utils.data import Dataset

from ..utils.seeding import derived_seed, seed_generators


class SeededIndex(int):
    """The index of a sample, with the seed of all that is random in it."""

    seed: int


def seeded_index(index: int, *parts: int) -> SeededIndex:
    """An index with a seed that is derived from several integers."""
    seeded = SeededIndex(index)
    seeded.seed = derived_seed(*parts)
    return seeded


class SeededReading:
    """Read samples of a dataset, all random generators being seeded for each from its :class:`SeededIndex`.

    What wraps a dataset computes indices of its own, which have no seed: repeating, concatenating, balancing, mixing
    several pictures. So the generators are seeded once, before the outermost dataset is asked.

    Args:
        dataset (Dataset): what the DataLoader reads from.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.generators = [part for part in parts_of(dataset) if hasattr(part, "set_random_seed")]

    def __call__(self, indices: Sequence[int]) -> list:
        """The samples of some indices; one without a seed draws on from the generators as they are."""
        samples = []
        for index in indices:
            self.seed(getattr(index, "seed", None))
            samples.append(self.dataset[index])
        return samples

    def seed(self, seed: int | None) -> None:
        """Seed the generators of the process, and those that transforms have for themselves (albumentations)."""
        if seed is None:
            return
        seed_generators(seed)
        for number, generator in enumerate(self.generators, start=1):
            generator.set_random_seed(derived_seed(seed, number))


def read_seeded(dataset: Dataset) -> None:
    """Let every DataLoader of a dataset read it by :class:`SeededReading`.

    PyTorch asks a dataset that has ``__getitems__`` for the samples of a batch by it, also in worker processes.
    """
    if hasattr(dataset, "__dict__"):  # a list or range takes no attribute, and has nothing random
        dataset.__getitems__ = SeededReading(dataset)


def parts_of(dataset: Dataset) -> Iterator[Any]:
    """A dataset, the datasets that it wraps, their transforms, and what these call, each once."""
    parts, seen = [dataset], set()
    while parts:
        part = parts.pop()
        if id(part) in seen or isinstance(part, (type, ModuleType)):
            continue
        seen.add(id(part))
        if isinstance(part, (list, tuple)):
            parts.extend(reversed(part))
        elif hasattr(part, "__dict__") and (callable(part) or hasattr(part, "__getitem__")):
            yield part
            parts.extend(reversed(vars(part).values()))
