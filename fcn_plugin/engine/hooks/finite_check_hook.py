"""A training that has gone wrong stops, and keeps its last good checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ...utils.text import summarize
from ..distributed import leave
from .whole_checkpoint_hook import checkpoint_hook

ADVICE = "lower the rate, or look at these images: docs/troubleshooting.md has more. Checkpoints are as they were"


class NotFiniteError(ArithmeticError):
    """A training whose loss or weights are not finite any more, in a sentence."""


@HOOKS.register_module()
class FiniteCheckHook(Hook):
    """End a training whose loss, weights or optimizer state are infinite or NaN, before a checkpoint is made of it.

    The loss is looked at in each iteration, which the toolbox's RuntimeInfoHook does as well: nothing waits for the
    GPU more often. What the optimizer has made of it is looked at before a checkpoint is saved, and in the weights that
    a training starts from. Gradients are not: float16's are infinite now and then, and skipped, by design.

    Of several processes all end when one has found something.
    """

    priority = "ABOVE_NORMAL"  # before hooks that log, average or save

    def __init__(self) -> None:
        self._images: tuple[str, str] = ("none", "none")  # of the iteration before, and of this one
        self._iteration = 0  # that is done
        self._exempt: set[str] = set()

    def before_train(self, runner: Runner) -> None:
        """Look at the weights to start from; buffers that are infinite already, such as masks, may be so."""
        model = _model_of(runner)
        parameters = {name for name, _ in model.named_parameters()}
        broken = _not_finite(model.state_dict())
        self._exempt = set(broken) - parameters
        if broken := [name for name in broken if name in parameters]:
            self._end(f"the weights to start from are not finite: {summarize(broken)}. Start from others")

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Take note of the images."""
        self._images = self._images[1], _images_of(data_batch)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Look at the loss; raises NotFiniteError."""
        loss = outputs.get("loss", 0.0) if isinstance(outputs, Mapping) else 0.0
        loss = float(loss.detach() if torch.is_tensor(loss) else loss)
        self._iteration, text = runner.iter + 1, None
        if not math.isfinite(loss):
            text = f"the loss of iteration {self._iteration} is {loss}{self._where(runner)}"
            inputs = (data_batch or {}).get("inputs", ())
            if not all(bool(image.isfinite().all()) for image in inputs):
                text += ". Images of this batch hold values that are not finite: correct them"
            else:
                text += f": {ADVICE}{self._ruined_checkpoint(runner)}"
        self._end_if_any(text)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at what is to be saved; raises NotFiniteError."""
        self.check_weights(runner)

    def check_weights(self, runner: Runner) -> None:
        """Look at weights and optimizer, which are the same in all processes.

        Raises:
            NotFiniteError: naming what is not finite.
            SystemExit: in another process than the first.
        """
        broken = [name for name in _not_finite(_model_of(runner).state_dict()) if name not in self._exempt]
        what = "weights"
        if not broken:
            what, broken = "states of the optimizer", list(_not_finite(dict(_optimizer_states(runner))))
        if broken:
            where = self._where(runner)
            self._end(f"{what} are not finite after iteration {self._iteration}: {summarize(broken)}{where}: {ADVICE}")

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Warn of a validation that has no figures: none of it can be the best."""
        figures = [value for value in (metrics or {}).values() if isinstance(value, float)]
        if figures and all(map(math.isnan, figures)):
            runner.logger.warning(f"all figures of this validation are NaN: {', '.join(metrics)}")

    @staticmethod
    def _ruined_checkpoint(runner: Runner) -> str:
        """What to say of a checkpoint of the iteration before, whose weights are finite, but too large."""
        hook = checkpoint_hook(runner)
        saved = (hook and hook.last_ckpt) or (runner._load_from if runner._resume else None)
        if not saved or Path(saved).name != hook.filename_tmpl.format(runner.iter):
            return ""
        return f"; {saved} has the weights that give this loss: remove it to go on from the one before"

    def _where(self, runner: Runner) -> str:
        rates = sorted({rate for rates in runner.optim_wrapper.get_lr().values() for rate in rates})
        rate = " to ".join(f"{rate:.4g}" for rate in (rates if len(rates) == 1 else rates[:: len(rates) - 1]))
        before, now = self._images
        return f" (rate {rate}; images of this iteration: {now}; of the one before: {before})"

    def _end(self, text: str) -> None:
        """End all processes, where all have found the same."""
        if get_rank() == 0:
            raise NotFiniteError(text)
        leave()

    def _end_if_any(self, text: str | None) -> None:
        """End all processes if one has found something; the first of those tells it."""
        first = torch.tensor(get_rank() if text else get_world_size())
        all_reduce(first, "min")
        if first == get_rank():
            raise NotFiniteError(text)
        if first < get_world_size():
            leave()


def _model_of(runner: Runner) -> torch.nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def _not_finite(tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """The names of those tensors that have an infinite value or a NaN."""
    floating = {name: value for name, value in tensors.items() if value.is_floating_point()}
    return [name for name, value in floating.items() if not value.isfinite().all()]


def _optimizer_states(runner: Runner) -> Iterator[tuple[str, torch.Tensor]]:
    """What the optimizers keep of each parameter, by its name and that of what is kept."""
    names = {parameter: name for name, parameter in _model_of(runner).named_parameters()}
    wrapper = runner.optim_wrapper
    for each in wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]:
        for parameter, state in each.optimizer.state.items():
            for key, value in state.items():
                if torch.is_tensor(value):
                    yield f"{key} of {names.get(parameter, 'a parameter')}", value


def _images_of(data_batch: dict | None) -> str:
    samples = (data_batch or {}).get("data_samples") or []
    return summarize([str(getattr(sample, "img_path", "without a path")) for sample in samples], most=8)
