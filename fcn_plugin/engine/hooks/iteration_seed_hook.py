"""Random numbers that depend on the iteration alone."""

from __future__ import annotations

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ...utils.seeding import derived_seed, seed_generators


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed all generators before each training iteration from the run's seed, the iteration and the process.

    Dropout, or what a model draws otherwise, is then the same whether a run was interrupted or not: no random state has
    to be saved. The batch has been read by then: its samples have seeds of their own, see
    :class:`fcn_plugin.datasets.SeededInfiniteSampler`.
    """

    priority = "VERY_HIGH"

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Seed Python's and numpy's generators, and torch's on all devices."""
        seed = derived_seed(runner.seed, runner.iter, get_rank())
        seed_generators(seed)
        torch.manual_seed(seed)
