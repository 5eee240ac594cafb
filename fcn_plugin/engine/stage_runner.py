"""The toolbox's runner for one stage, which reads weights of any known source, and nothing that would run."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed, is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmengine.utils import apply_to
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

from ..checks.resume import changes_since, listed
from ..evaluation.fcn_metric import FCNMetric
from ..evaluation.prediction_names import prediction_names
from ..utils.building import BUILD_ERRORS, explain
from ..utils.config import class_of
from ..utils.files import NO_ROOM, CannotWriteError, atomic_write
from ..utils.signals import exit_code, handled
from ..weights.checkpoint import read_checkpoint, without_config
from ..weights.download import local_file
from ..weights.importing import import_weights, without_wrappers
from .accepted_changes import Settings
from .hooks import (
    BroadcastBuffersHook,
    CheckpointCheckHook,
    FiniteCheckHook,
    IterationSeedHook,
    ResumeHook,
    StopHook,
    WholeCheckpointHook,
)
from .hooks.stop_hook import SIGNALS

REQUIRED_HOOKS = (
    CheckpointCheckHook,
    IterationSeedHook,
    BroadcastBuffersHook,
    FiniteCheckHook,
    StopHook,
    ResumeHook,
)


class StageRunner(Runner):
    """Train, validate or test one config as the toolbox does, with safe and checked weights.

    Its hooks include those of :data:`REQUIRED_HOOKS`, whatever ``custom_hooks`` says: that no weights are missing, that
    a training that has gone wrong stops, and that an interrupted one goes on exactly, rest on them. Its checkpoints are
    whole or not there (see also :class:`WholeCheckpointHook`).
    """

    @classmethod
    def from_cfg(cls, cfg: Config) -> StageRunner:
        """Build it of a config.

        Raises:
            ValueError: in one line, for what the toolbox does not accept.
        """
        model = cfg.get("model") or {}
        if (model.get("module") or {}).get("data_preprocessor"):
            # around a model for test-time augmentation, the toolbox would put that of the config's top level
            model.setdefault("data_preprocessor", model["module"]["data_preprocessor"])
        try:
            return super().from_cfg(cfg)
        except BUILD_ERRORS as error:
            raise ValueError(f"the runner cannot be built: {explain(error, cfg)}") from error

    def register_hooks(
        self, default_hooks: dict[str, Hook | dict] | None = None, custom_hooks: list[Hook | dict] | None = None
    ) -> None:
        """Register the config's hooks, and those that are always there."""
        super().register_hooks(default_hooks, custom_hooks)
        for required in REQUIRED_HOOKS:
            if not any(isinstance(hook, required) for hook in self.hooks):
                self.register_hook(required())

    def register_hook(self, hook: Hook | dict, *args, **kwargs) -> None:
        """Register a hook; for the toolbox's CheckpointHook the one that keeps the last checkpoint."""
        if isinstance(hook, dict) and class_of(hook, HOOKS) is CheckpointHook:
            hook = dict(hook, type=WholeCheckpointHook)
        super().register_hook(hook, *args, **kwargs)

    def build_visualizer(self, visualizer: Visualizer | dict | None = None) -> Visualizer:
        """Build the visualizer under a name of this run: the toolbox gives the one before for a name that it knows."""
        if isinstance(visualizer, dict):
            visualizer = {**visualizer, "name": f"{visualizer.get('name', 'visualizer')} of {self._experiment_name}"}
        return super().build_visualizer(visualizer)

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Build the logger; a full disk ends the run, not just its log."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            handler.handleError = partial(_raise_if_full, handler)
        return logger

    @staticmethod
    def build_dataloader(dataloader: DataLoader | dict, *args, **kwargs) -> DataLoader:
        """Build a data loader whose workers leave it to the main process to end them."""
        loader = Runner.build_dataloader(dataloader, *args, **kwargs)
        loader.worker_init_fn = partial(_begin_worker, loader.worker_init_fn)
        return loader

    def train(self) -> nn.Module:
        """Train to the end.

        Returns:
            nn.Module: the model.

        Raises:
            SystemExit: when a signal has come, with its exit code; see :class:`StopHook`.
            NotFiniteError: see :class:`FiniteCheckHook`.
            CannotWriteError: if there is no room for a checkpoint.
        """
        stop = next(hook for hook in self.hooks if isinstance(hook, StopHook))
        with handled(dict.fromkeys(SIGNALS, stop.note)):
            try:
                return super().train()
            except RuntimeError as error:
                if stop.received and is_distributed():  # another process has left, and cannot be talked to
                    raise SystemExit(exit_code(stop.received)) from error
                raise

    def save_checkpoint(self, out_dir: str, filename: str, *args, **kwargs) -> None:
        """Save a checkpoint as the toolbox does, under another name until it is whole.

        Raises:
            NotFiniteError: for weights that are not finite, in all processes.
            CannotWriteError: if there is no room for it.
        """
        if not is_main_process():
            next(hook for hook in self.hooks if isinstance(hook, FiniteCheckHook)).check_weights(self)
            return
        backend = get_file_backend(out_dir, backend_args=kwargs.get("backend_args"))
        if not isinstance(backend, LocalBackend) or any(args):  # file_client_args
            super().save_checkpoint(out_dir, filename, *args, **kwargs)
            return
        Path(out_dir).mkdir(parents=True, exist_ok=True)
        with atomic_write(Path(out_dir, filename)) as partial_file:
            super().save_checkpoint(out_dir, partial_file.name, *args, **kwargs)

    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop of a validation, whose predictions are named after the images."""
        return _with_names(super().build_val_loop(loop))

    def build_test_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop of a test, likewise."""
        return _with_names(super().build_test_loop(loop))

    def resume(self, filename: str, *args, **kwargs) -> None:
        """Go on from a checkpoint of this stage, with its optimizer and log, and with what the config has changed."""
        self._resume = True
        checkpoint = read_checkpoint(filename)
        changes = changes_since(checkpoint, self.cfg)
        settings = Settings(self)
        super().resume(filename, *args, **kwargs)
        if changes:
            self.logger.warning(
                f"goes on with changed settings, so this is no longer one uninterrupted training: {listed(changes)}"
            )
        if any(change.setting == "randomness.seed" for change in changes):
            settings.use_seed(self)
        if any(change.of_rates for change in changes) or "param_schedulers" not in checkpoint:
            settings.use_rates(self)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = "cpu",
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = ((r"^module.", ""),),
    ) -> dict:
        """Load weights into the model.

        Args:
            filename (str): of any known source, by path, URL or name in a zoo.
            map_location (str | Callable): not used: what is read is copied to where it belongs.
            strict (bool): as for mmengine's Runner.
            revise_keys (Sequence[tuple[str, str]]): likewise.

        Returns:
            dict: the checkpoint, without the text of its config: ``Runner.resume`` would run it.

        Raises:
            FileNotFoundError: if there is no such file.
            WeightsError: if it is damaged, unsafe, of no known source, or does not fit the model.
        """
        checkpoint = read_weights(filename, with_training=self._resume)
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        checkpoint = _load_checkpoint_to_model(model, checkpoint, strict, revise_keys=list(revise_keys))
        self._has_loaded = True
        self.logger.info(f"Load checkpoint from {filename}")
        return checkpoint


def _raise_if_full(handler: logging.Handler, record: logging.LogRecord) -> None:
    """In place of a handler's own, which prints a traceback and goes on; called where the error is handled."""
    error = sys.exc_info()[1]
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        raise CannotWriteError(getattr(handler, "baseFilename", "the output"), error.strerror)
    type(handler).handleError(handler, record)


def _begin_worker(worker_init: Callable[[int], None] | None, worker: int) -> None:
    """Begin a worker of a data loader, which only its main process may end.

    Signals that come to a whole group of processes would end it, while the main process finishes its iteration.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if worker_init:
        worker_init(worker)


def _end_with(parent: int) -> None:
    """End this process on a SIGTERM of its parent, and on no other."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def _with_names(loop: BaseLoop) -> BaseLoop:
    for metric in loop.evaluator.metrics:
        if isinstance(metric, FCNMetric) and metric.output_dir is not None:
            metric.names = prediction_names(loop.dataloader.dataset)
    return loop


def read_weights(source: str, with_training: bool = False) -> dict:
    """Read weights safely: those of any known source, or all that a training saved to go on from.

    Args:
        source (str): a path, URL or name in a zoo.
        with_training (bool): keep what else is in the file, such as the state of the optimizer.

    Returns:
        dict: ``state_dict`` with canonical names, and ``meta``, without any config in it.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: if it is damaged, unsafe or of no known source.
    """
    file = local_file(source)
    if not with_training:
        return import_weights(file)
    checkpoint = without_config(read_checkpoint(file))
    # tensors lie in the mapped file, which training must not write to
    rest = {key: value for key, value in checkpoint.items() if key != "state_dict"}
    rest = apply_to(rest, torch.is_tensor, torch.clone)
    return dict(rest, state_dict=without_wrappers(checkpoint["state_dict"]))
