"""Random numbers that depend on the iteration alone."""

from __future__ import annotations

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ...utils.seeding import derived_seed


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed torch before each training iteration from the run's seed, the iteration and the process.

    Dropout is then the same whether a run was interrupted or not: no random state has to be saved. Random transforms
    are seeded for each sample, see :class:`fcn_plugin.datasets.SeededInfiniteSampler`.
    """

    priority = "VERY_HIGH"

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Seed all of torch's generators."""
        torch.manual_seed(derived_seed(runner.seed, runner.iter, get_rank()))
