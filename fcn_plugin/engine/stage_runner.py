"""The toolbox's runner for one stage, which reads weights of any known source, and nothing that would run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmengine.utils import apply_to

from ..checks.resume import changes_since, listed
from ..utils.building import BUILD_ERRORS, explain
from ..weights.checkpoint import read_checkpoint, without_config
from ..weights.download import local_file
from ..weights.importing import import_weights, without_wrappers
from .accepted_changes import Settings
from .hooks import BroadcastBuffersHook, CheckpointCheckHook, IterationSeedHook, ResumeHook

REQUIRED_HOOKS = (CheckpointCheckHook, IterationSeedHook, BroadcastBuffersHook, ResumeHook)


class StageRunner(Runner):
    """Train, validate or test one config as the toolbox does, with safe and checked weights.

    Its hooks include those of :data:`REQUIRED_HOOKS`, whatever ``custom_hooks`` says: that no weights are missing, and
    that an interrupted training goes on exactly, rest on them.
    """

    @classmethod
    def from_cfg(cls, cfg: Config) -> StageRunner:
        """Build it of a config.

        Raises:
            ValueError: in one line, for what the toolbox does not accept.
        """
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
