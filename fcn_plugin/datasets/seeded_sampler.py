"""Shuffling and random transforms that do not depend on interruptions, workers or the number of processes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import InfiniteSampler
from mmengine.registry import DATA_SAMPLERS
from mmseg.registry import TRANSFORMS

from ..utils.seeding import derived_seed


class SeededIndex(int):
    """The index of a sample, with the seed of its random transforms."""

    seed: int


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(InfiniteSampler):
    """mmengine's InfiniteSampler, each index with a seed from the run's seed and its position in the stream.

    Put :class:`SeedTransforms` before the random transforms of the pipeline. A resumed run then sees the same pictures
    as an uninterrupted one, and two processes the same as one.
    """

    def _infinite_indices(self) -> Iterator[SeededIndex]:
        for position, index in enumerate(super()._infinite_indices()):
            seeded = SeededIndex(index)
            seeded.seed = derived_seed(self.seed, position)
            yield seeded


@TRANSFORMS.register_module()
class SeedTransforms(BaseTransform):
    """Seed the transforms behind this one from the sample's index; does nothing with an unseeded index."""

    def transform(self, results: dict) -> dict:
        """Seed Python's and numpy's generators (the ones that the toolbox's transforms draw from)."""
        seed = getattr(results.get("sample_idx"), "seed", None)
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed)
        return results
