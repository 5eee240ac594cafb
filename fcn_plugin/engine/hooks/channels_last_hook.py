"""Channels-last memory format."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch.nn.parallel import DistributedDataParallel


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the model's weights in channels-last format, in which convolutions run fastest (the results are the same).

    The activations follow the weights. The format survives loading checkpoints, which copies values.
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the weights once."""
        runner.model.to(memory_format=torch.channels_last)
        if isinstance(runner.model, DistributedDataParallel):
            # its buffers for gradients have the format that the weights had when it was built
            runner.model = runner.wrap_model(runner.cfg.get("model_wrapper_cfg"), runner.model.module)
