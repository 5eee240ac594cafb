"""What a training needs to go on exactly, beside what the toolbox saves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process, master_only
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, Hook
from mmengine.optim import _ParamScheduler
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from ...checks.resume import RUN_FACTS
from ...checks.run_facts import run_facts
from ...utils.files import atomic_write

#: File in the work directory: after how many iterations it was validated last.
LAST_VALIDATION = "last_validation"
STOPPED_EARLY, EARLY_STOPPING = "stopped_early", "early_stopping"  #: in the ``meta`` of a checkpoint


@HOOKS.register_module()
class ResumeHook(Hook):
    """Let a training that was interrupted at any point, or stopped early, go on exactly.

    - A checkpoint notes the facts of its training (:func:`run_facts`), which are compared when it goes on.
    - The counters of an EarlyStoppingHook are saved and restored. When it stops a training, the last iteration is saved
      and marked, so that the stage is known to be done.
    - A validation that was due after the iteration of the checkpoint, but was cut off, is made before training goes on.
    """

    priority = "LOWEST"  # behind the hooks whose state it keeps

    def __init__(self) -> None:
        self._facts: dict[str, Any] | None = None
        self._stopped_early = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the counters of early stopping."""
        if not runner._resume:
            return
        for hook, state in zip(_early_stopping(runner), checkpoint.get("meta", {}).get(EARLY_STOPPING, [])):
            hook.wait_count, hook.best_score = state["wait_count"], state["best_score"]

    def before_train(self, runner: Runner) -> None:
        """Note the facts of the run, and validate if the checkpoint that it goes on from was not validated."""
        if is_main_process():
            self._facts = {**run_facts(runner.cfg), "randomness.seed": runner.seed}
        if runner.iter > 0:
            for hook in _saving(runner):  # to save again with a new best
                hook.last_ckpt = hook.last_ckpt or runner._load_from
            if self._validation_is_due(runner):
                runner.logger.info(f"validate after {runner.iter} iterations, as was due before the interruption")
                runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Note that this iteration was validated, and whether an EarlyStoppingHook has stopped the training."""
        if isinstance(runner._train_loop, BaseLoop):  # it trains
            self._stopped_early = bool(_early_stopping(runner)) and runner.train_loop.stop_training
            self._note_validation(runner)

    def after_train(self, runner: Runner) -> None:
        """Save the last iteration of a training that was stopped early."""
        if self._stopped_early:
            for hook in _saving(runner)[:1]:
                step = max(runner.epoch, 1) if hook.by_epoch else runner.iter
                hook._save_checkpoint_with_step(runner, step, meta=dict(epoch=runner.epoch, iter=runner.iter))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put what is to be known later into the checkpoint."""
        counters = [
            dict(wait_count=hook.wait_count, best_score=float(hook.best_score)) for hook in _early_stopping(runner)
        ]
        checkpoint["meta"].update({RUN_FACTS: self._facts, EARLY_STOPPING: counters})
        if self._stopped_early:
            checkpoint["meta"][STOPPED_EARLY] = True

    @master_only
    def _note_validation(self, runner: Runner) -> None:
        with atomic_write(Path(runner.work_dir, LAST_VALIDATION)) as file:
            file.write_text(str(runner.iter))

    def _validation_is_due(self, runner: Runner) -> bool:
        loop = runner.train_loop
        if runner.val_loop is None or not isinstance(loop, (EpochBasedTrainLoop, IterBasedTrainLoop)):
            return False
        epochs = isinstance(loop, EpochBasedTrainLoop)
        done, end = (loop.epoch, loop.max_epochs) if epochs else (loop.iter, loop.max_iters)
        loop._decide_current_val_interval()
        due = done >= loop.val_begin and (done % loop.val_interval == 0 or done == end)
        # the checkpoint was saved before its validation counted
        counts = (
            bool(_early_stopping(runner))
            or any(hook.save_best for hook in _saving(runner))
            or any(getattr(scheduler, "need_val_args", False) for scheduler in all_schedulers(runner))
        )
        return due and (counts or last_validation(runner.work_dir) != runner.iter)


def last_validation(work_dir: str) -> int | None:
    """After how many iterations the training in a work directory was validated last; None if it never was."""
    file = Path(work_dir, LAST_VALIDATION)
    text = file.read_text() if file.is_file() else ""
    return int(text) if text.isdigit() else None


def all_schedulers(runner: Runner) -> list[_ParamScheduler]:
    """The schedulers of a runner that trains, of all its optimizers."""
    built = runner.param_schedulers or []
    return [one for part in built.values() for one in part] if isinstance(built, dict) else list(built)


def _early_stopping(runner: Runner) -> list[EarlyStoppingHook]:
    return [hook for hook in runner.hooks if isinstance(hook, EarlyStoppingHook)]


def _saving(runner: Runner) -> list[CheckpointHook]:
    return [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
