"""The end of a training before its time: SIGTERM and Ctrl-C."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import FrameType

import torch
from mmengine.dist import all_reduce, barrier
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS
from mmengine.runner import IterBasedTrainLoop, Runner

from ...utils.signals import end_at_once, exit_code
from ..distributed import is_first_process
from .whole_checkpoint_hook import checkpoint_hook

SIGNALS = (signal.SIGTERM, signal.SIGINT)
AGAIN = 1.0  #: seconds after which a Ctrl-C is another one: launchers pass on what their processes got as well


@HOOKS.register_module()
class StopHook(Hook):
    """Finish the iteration at hand when a signal has come, save a checkpoint of it, and leave with the exit code.

    The checkpoint is one of the run's CheckpointHook. Gradients are in none, so while they are accumulated, a few more
    iterations follow. Of several processes, all end at the same iteration. In the middle of an epoch (an
    EpochBasedTrainLoop) there is no checkpoint from which a training can go on, and none is saved.

    :meth:`note` is the handler of the signals, see :class:`fcn_plugin.engine.stage_runner.StageRunner`.
    """

    priority = "LOWEST"  # behind hooks that log, change the rate or save

    def __init__(self) -> None:
        self._trains, self._same_batches = False, False
        self.received = 0  #: the signal that has come
        self._time = 0.0

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: remember it while a network is trained; before, after, and for another Ctrl-C end at once.

        Raises:
            KeyboardInterrupt: for a Ctrl-C.
            SystemExit: for SIGTERM.
        """
        again = number == self.received == signal.SIGINT and time.monotonic() - self._time > AGAIN
        if again or not self._trains:
            end_at_once(number, frame)
        if not self.received:
            self._time = time.monotonic()
            if number == signal.SIGINT and is_first_process():
                os.write(2, b"Ending after this iteration. Ctrl-C again ends at once.\n")  # print() may be interrupted
        self.received = max(self.received, number)

    def before_train(self, runner: Runner) -> None:
        """Take over signals, and warn of checkpoints in the middle of an accumulation."""
        self._trains = True
        hook, counts = checkpoint_hook(runner), getattr(runner.optim_wrapper, "_accumulative_counts", 1)
        if hook and not hook.by_epoch and hook.interval % counts:
            runner.logger.warning(
                f"checkpoints every {hook.interval} iterations, gradients accumulated over {counts}: a training goes on"
                f" exactly only from checkpoints at multiples of {counts}, because gradients are in none; set"
                " default_hooks.checkpoint.interval to a multiple"
            )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """End here if a signal has come."""
        by_epoch = not isinstance(runner.train_loop, IterBasedTrainLoop)
        if (number := self._agreed()) and (by_epoch or _weights_are_updated(runner)):
            self._end(runner, number, done=runner.iter + 1)

    def before_val_epoch(self, runner: Runner) -> None:
        """See whether the processes have equally many batches, so that they can agree after each."""
        batches = torch.tensor([len(runner.val_loop.dataloader), -len(runner.val_loop.dataloader)])
        all_reduce(batches, "min")
        self._same_batches = bool(batches[0] == -batches[1])

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: object = None
    ) -> None:
        """End in the middle of a validation."""
        if self._trains and self._same_batches and (number := self._agreed()):
            for hook in runner.hooks:
                if isinstance(hook, EMAHook):
                    hook.after_val_epoch(runner)  # validates with the averaged weights, the others are trained
            self._end(runner, number, done=runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Leave signals alone: what follows is quick, or another stage."""
        self._trains = False

    def _agreed(self) -> int:
        """The signal that one of the processes has got, 0 if none."""
        number = torch.tensor(self.received)
        all_reduce(number, "max")
        return int(number)

    def _end(self, runner: Runner, number: int, done: int) -> None:
        hook, text = checkpoint_hook(runner), "from the last checkpoint"
        if isinstance(runner.train_loop, IterBasedTrainLoop) and hook and not hook.by_epoch:
            name = hook.filename_tmpl.format(done)
            if _weights_are_updated(runner):
                if Path(hook.last_ckpt or "").name != name:
                    hook._save_checkpoint_with_step(runner, done, meta=dict(epoch=runner.epoch, iter=done))
                text = f"from {hook.last_ckpt}"
        runner.logger.info(
            f"{signal.Signals(number).name}: ended at iteration {done}. The same command goes on {text}."
        )
        barrier()  # a launcher ends all processes when the first one leaves
        raise SystemExit(exit_code(number))


def _weights_are_updated(runner: Runner) -> bool:
    """Whether no gradients wait for more of them."""
    should_update = getattr(runner.optim_wrapper, "should_update", None)
    return should_update is None or should_update()
