"""Checkpoints that take the place of others only when they are whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from mmengine.dist import broadcast, is_main_process
from mmengine.fileio import BaseStorageBackend, LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ..distributed import leave


class WholeCheckpointHook(CheckpointHook):
    """The toolbox's CheckpointHook, which removes an outdated checkpoint when the one that follows has been saved.

    The toolbox removes it before: a full disk or a kill then leaves none, with ``max_keep_ckpts=1``. A StageRunner
    has this hook in place of the toolbox's, with the same settings. Of several processes, all end when the first one
    cannot write.
    """

    def before_train(self, runner: Runner) -> None:
        """Prepare, and remove what killed processes left."""
        super().before_train(runner)
        if is_main_process() and isinstance(self.file_backend, LocalBackend):
            for partial_file in Path(self.out_dir).glob(".*.pth.*.part"):
                partial_file.unlink(missing_ok=True)
        self.file_backend = _LateRemoval(self.file_backend)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        error = None
        try:
            super()._save_checkpoint_with_step(runner, step, meta)
        except OSError as caught:  # in the first process, which writes
            error = caught
        failed = torch.tensor(int(error is not None))
        broadcast(failed)
        if error:
            raise error
        if failed:
            leave()
        self._remove()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if self.save_best:
            super()._save_best_checkpoint(runner, metrics)
            self._remove()

    def _remove(self) -> None:
        best = [self.best_ckpt_path] if hasattr(self, "best_ckpt_path") else []
        best += getattr(self, "best_ckpt_path_dict", {}).values()
        self.file_backend.remove_now(keep={self.last_ckpt, *best})


class _LateRemoval:
    """A file backend that removes what it is told to at a later time."""

    def __init__(self, backend: BaseStorageBackend) -> None:
        self._backend = backend
        self._removals: dict[str, Callable[[], None]] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._removals[path] = partial(self._backend.remove, path)

    def rmtree(self, path: str) -> None:
        self._removals[path] = partial(self._backend.rmtree, path)

    def remove_now(self, keep: set[str | None]) -> None:
        """Remove what has been noted, but for paths that have been saved anew."""
        removals, self._removals = self._removals, {}
        for path, remove in removals.items():
            if path not in keep:
                remove()


def checkpoint_hook(runner: Runner) -> CheckpointHook | None:
    """The hook that saves a run's checkpoints, if there is one."""
    return next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
