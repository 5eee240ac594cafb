"""torch.compile for the network, not for the training step around it."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile backbone and neck before the first iteration, for images of any size.

    The runner's own ``compile`` compiles ``train_step`` with its data samples: again for each image path, until torch
    gives up. The parts of the network see tensors alone. Heads crop by sizes, and their layers are a few percent of the
    time; they stay as they are.

    Args:
        **options: as for :func:`torch.compile`; ``dynamic`` is True unless given.
    """

    def __init__(self, **options: Any) -> None:
        self.options = {"dynamic": True, **options}
        self.compiled = False

    def before_run(self, runner: Runner) -> None:
        """Compile in place: names of parameters stay."""
        if self.compiled:
            return
        self.compiled = True
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for name in ("backbone", "neck"):
            if isinstance(part := getattr(model, name, None), nn.Module):
                part.compile(**self.options)


def enable_compile(cfg: Config) -> None:
    """Turn the runner's ``cfg.compile`` (True or options of torch.compile) into a :class:`CompileHook`.

    Raises:
        ValueError: if it is something else.
    """
    options = cfg.pop("compile", False)
    if not isinstance(options, (bool, dict)):
        raise ValueError(f"compile must be True, False or a dict of options of torch.compile, got {options!r}")
    if options is not False:
        hook = dict(type="CompileHook", **({} if options is True else options))
        cfg.custom_hooks = [*cfg.get("custom_hooks", []), hook]
