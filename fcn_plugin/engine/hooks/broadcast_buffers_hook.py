"""One set of running statistics in all processes."""

from __future__ import annotations

from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class BroadcastBuffersHook(Hook):
    """Validate, in all processes, with the buffers of the first one: those that its checkpoint keeps.

    Norm layers follow the pictures of their own process. The figures would be of several models otherwise, none of them
    saved, and others behind an interruption. mmengine's SyncBuffersHook averages, which changes a training by when it
    validates.
    """

    priority = "LOW"  # behind what puts other weights into the model, such as EMAHook

    def before_val_epoch(self, runner: Runner) -> None:
        """Copy the first process's buffers to the others; does nothing in one process."""
        for buffer in runner.model.buffers():
            broadcast(buffer)
