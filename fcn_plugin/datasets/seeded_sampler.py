"""Shuffling and random transforms that do not depend on interruptions, workers or the number of processes."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from mmcv.transforms import BaseTransform
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.registry import DATA_SAMPLERS
from mmseg.registry import TRANSFORMS

from ..utils.seeding import seed_generators
from .seeded_reading import SeededIndex, read_seeded, seeded_index


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(InfiniteSampler):
    """mmengine's InfiniteSampler, each sample with a seed from the run's seed and its position in the stream.

    All that is random in a sample follows from it (:class:`.seeded_reading.SeededReading`), whatever wraps the dataset.
    A resumed run then sees the same pictures as an uninterrupted one, and two processes the same as one.

    Args:
        dataset (Sized): what is read; handed in by the toolbox.
        shuffle (bool): in another order each time. Defaults to True.
        seed (int, optional): the run's seed; handed in by the toolbox.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        super().__init__(dataset, shuffle, seed)
        read_seeded(dataset)

    def _infinite_indices(self) -> Iterator[SeededIndex]:
        for position, index in enumerate(super()._infinite_indices()):
            yield seeded_index(index, self.seed, position)


@DATA_SAMPLERS.register_module()
class SeededDefaultSampler(DefaultSampler):
    """mmengine's DefaultSampler, for epochs, each sample with a seed from the run's seed, the epoch and its position.

    Args:
        dataset (Sized): what is read; handed in by the toolbox.
        shuffle (bool): in another order each epoch. Defaults to True.
        seed (int, optional): the run's seed; handed in by the toolbox.
        round_up (bool): repeat samples, so that all processes have as many.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None, round_up: bool = True) -> None:
        super().__init__(dataset, shuffle, seed, round_up)
        read_seeded(dataset)

    def __iter__(self) -> Iterator[SeededIndex]:
        """Give the indices of this process."""
        epoch = self.epoch
        for number, index in enumerate(super().__iter__()):
            yield seeded_index(index, self.seed, epoch, number * self.world_size + self.rank)


@TRANSFORMS.register_module()
class SeedTransforms(BaseTransform):
    """Seed the transforms behind this one from the sample's index; does nothing with an unseeded index.

    A DataLoader with one of the samplers above needs no such step: it is for a dataset that is read without one, as by
    ``dataset[index]`` with their indices.
    """

    def transform(self, results: dict) -> dict:
        """Seed Python's, numpy's and torch's generators."""
        seed = getattr(results.get("sample_idx"), "seed", None)
        if seed is not None:
            seed_generators(seed)
        return results
