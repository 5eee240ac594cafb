"""The toolbox's runner for one stage, which reads weights of any known source, and nothing that would run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmengine.utils import apply_to

from ..evaluation.fcn_metric import FCNMetric
from ..evaluation.prediction_names import prediction_names
from ..weights.checkpoint import read_checkpoint
from ..weights.download import local_file
from ..weights.importing import import_weights
from .hooks import CheckpointCheckHook, IterationSeedHook

REQUIRED_HOOKS = (CheckpointCheckHook, IterationSeedHook)


class StageRunner(Runner):
    """Train, validate or test one config as the toolbox does, with safe and checked weights.

    Its hooks include :class:`CheckpointCheckHook` and :class:`IterationSeedHook`, whatever ``custom_hooks`` says: that
    no weights are missing, and that an interrupted training goes on exactly, rest on them.
    """

    def register_hooks(
        self, default_hooks: dict[str, Hook | dict] | None = None, custom_hooks: list[Hook | dict] | None = None
    ) -> None:
        """Register the config's hooks, and those that are always there."""
        super().register_hooks(default_hooks, custom_hooks)
        for required in REQUIRED_HOOKS:
            if not any(isinstance(hook, required) for hook in self.hooks):
                self.register_hook(required())

    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop of a validation, whose predictions are named after the images."""
        return _with_names(super().build_val_loop(loop))

    def build_test_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop of a test, likewise."""
        return _with_names(super().build_test_loop(loop))

    def resume(self, filename: str, *args, **kwargs) -> None:
        """Go on from a checkpoint of this stage, with its optimizer and log."""
        self._resume = True
        super().resume(filename, *args, **kwargs)

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
    checkpoint = read_checkpoint(file)
    meta = {key: value for key, value in checkpoint.get("meta", {}).items() if key not in ("cfg", "config")}
    # tensors lie in the mapped file, which training must not write to
    rest = {key: value for key, value in checkpoint.items() if key not in ("meta", "state_dict")}
    rest = apply_to(rest, torch.is_tensor, torch.clone)
    return dict(rest, meta=meta, state_dict=dict(checkpoint["state_dict"]))
