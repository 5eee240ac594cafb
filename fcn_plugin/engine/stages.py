"""Staged training: FCN-32s, then FCN-16s from it, then FCN-8s, as one job that picks up where it was stopped."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import barrier
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmseg.registry import HOOKS, MODELS
from torch import nn

from ..models.pretrained_part import pretrained_source
from ..utils.config import apply_settings, changed_settings, class_of, read_config
from ..weights.checkpoint import WeightsError, read_checkpoint
from .hooks import CheckpointCheckHook
from .stage_runner import StageRunner


@dataclass(eq=False)
class Stage:
    """One config of a staged training.

    Attributes:
        cfg: the config, with ``work_dir`` set.
        earlier: the stage whose weights this one starts from, if any.
        checkpoint: newest readable checkpoint in the work directory, if any.
        iteration: iterations that checkpoint has behind it.
    """

    cfg: Config
    earlier: Stage | None = None
    checkpoint: Path | None = None
    iteration: int = 0

    @property
    def name(self) -> str:
        """Name of the config file, or of the work directory if there is none."""
        return Path(self.cfg.filename or self.cfg.work_dir).stem

    @property
    def max_iters(self) -> int:
        """Iterations of the whole stage.

        Raises:
            ValueError: for a config that counts epochs.
        """
        if "max_iters" not in (self.cfg.get("train_cfg") or {}):
            raise ValueError(f"{self.name} has no train_cfg.max_iters: stages are trained by an IterBasedTrainLoop")
        return self.cfg.train_cfg.max_iters

    @property
    def done(self) -> bool:
        """Whether the stage has been trained to its end."""
        return self.checkpoint is not None and self.iteration >= self.max_iters

    def find_checkpoint(self) -> None:
        """Look for the newest checkpoint that can be read; one cut off by a kill is passed over.

        Raises:
            ValueError: if it was trained for another number of classes.
        """
        self.checkpoint, self.iteration = None, 0
        files = [file for file in Path(self.cfg.work_dir).glob("iter_*.pth") if re.fullmatch(r"iter_\d+", file.stem)]
        iterations = {int(file.stem.removeprefix("iter_")): file for file in files}
        for iteration, file in sorted(iterations.items(), reverse=True):
            try:
                state_dict = read_checkpoint(file)["state_dict"]
            except WeightsError as error:
                print_log(f"passed over: {error}", logger="current", level=logging.WARNING)
                continue
            self._check_classes(file, state_dict)
            self.checkpoint, self.iteration = file, iteration
            return

    def _check_classes(self, file: Path, state_dict: dict) -> None:
        score = state_dict.get("decode_head.score_fr.weight")
        head = self.cfg.model.get("decode_head") or {}
        classes = None if isinstance(head, list) else head.get("out_channels") or head.get("num_classes")
        if score is not None and classes is not None and len(score) != classes:
            raise ValueError(
                f"{file} was trained for {len(score)} classes, {self.name} has {classes}: give another directory with"
                f" --work-dir, or move {file.parent} away"
            )

    @property
    def may_differ(self) -> tuple[str, ...]:
        """Weights that need not be those of the checkpoint before, as the config's CheckpointCheckHook has it."""
        for hook in self.cfg.get("custom_hooks") or []:
            kind = class_of(hook, HOOKS) if isinstance(hook, dict) else type(hook)
            if isinstance(kind, type) and issubclass(kind, CheckpointCheckHook):
                return (HOOKS.build(hook) if isinstance(hook, dict) else hook).may_differ
        return ()

    def describe(self) -> str:
        """What will happen to this stage, in a few words."""
        if self.done:
            return f"done: {self.checkpoint}"
        if self.checkpoint:
            return f"continue from {self.checkpoint} ({self.iteration} of {self.max_iters} iterations)"
        if self.earlier:
            return f"train {self.max_iters} iterations from the weights of {self.earlier.name}"
        start = self.cfg.get("load_from")
        return f"train {self.max_iters} iterations" + (f" from {start}" if start else "")

    def set_start(self) -> None:
        """Let the config start from what there is: its own checkpoint, its earlier stage's, or its ``load_from``."""
        self.cfg.resume = self.checkpoint is not None
        start = self.checkpoint or (self.earlier and self.earlier.done and self.earlier.checkpoint)
        if start:
            self.cfg.load_from = str(start)

    def train(self) -> nn.Module:
        """Train this stage to its end.

        Raises:
            FileNotFoundError: if the earlier stage's checkpoint is not visible to this process.
        """
        if self.earlier and not self.checkpoint:
            self.earlier.find_checkpoint()
            if not self.earlier.done:
                raise FileNotFoundError(
                    f"{self.earlier.name} left no checkpoint in {self.earlier.cfg.work_dir}; on several nodes, the work"
                    " directory must be on a shared file system"
                )
        self.set_start()
        model = StageRunner.from_cfg(self.cfg).train()
        barrier()  # the checkpoint is on disk before another process looks for it
        return model

    def load_model(self) -> nn.Module:
        """The model with the weights of the newest checkpoint, on the CPU."""
        with DefaultScope.overwrite_default_scope(self.cfg.get("default_scope") or "mmseg"):
            model = MODELS.build(self.cfg.model)
        model.load_state_dict(read_checkpoint(self.checkpoint)["state_dict"])
        return model


def stages_to_train(stages: list[Stage]) -> list[Stage]:
    """The stages of a plan that have to be trained: none before one that has a checkpoint of its own."""
    to_train: list[Stage] = []
    for stage in reversed(stages):
        if stage.done:
            break
        to_train.insert(0, stage)
        if stage.checkpoint:
            break
    return to_train


def plan_stages(cfg: Config) -> list[Stage]:
    """List the stages that lead to ``cfg``, first to last, and find what has been trained of them.

    A config names the stage before it as ``earlier_stage``, the path of another config. The last stage is trained in
    ``cfg.work_dir``. Earlier ones have a directory of their own name: beside it if it has the config's name too (as
    by default), else inside it. What was changed in ``cfg`` (:func:`changed_settings`) is changed in them as well.

    Args:
        cfg (Config): config of the last stage, options applied, ``work_dir`` set. If ``load_from`` is set, it is the
            only stage.

    Raises:
        FileNotFoundError: if a config names an earlier one that does not exist.
        ValueError: if a stage was trained for another number of classes.
    """
    stages = [Stage(cfg)]
    work_dir = Path(cfg.work_dir)
    parent = work_dir.parent if work_dir.name == stages[0].name else work_dir
    changes = changed_settings(cfg) if cfg.get("earlier_stage") else []
    while not cfg.get("load_from") and (path := stages[-1].cfg.get("earlier_stage")):
        if not Path(path).is_file():
            raise FileNotFoundError(f"{stages[-1].name} names the earlier stage {path}, which does not exist")
        earlier = read_config(path)
        apply_settings(earlier, changes)
        earlier.launcher = cfg.get("launcher", "none")
        earlier.work_dir = str(parent / Path(path).stem)
        stages[-1].earlier = Stage(earlier)
        stages.append(stages[-1].earlier)
    for stage in stages:
        stage.find_checkpoint()
        if stage.earlier or stage.checkpoint or stage.cfg.get("load_from"):
            drop_pretrained(stage.cfg)
    return stages[::-1]


def drop_pretrained(cfg: Config) -> None:
    """Remove the ImageNet initialisation of a model that starts from a checkpoint of its own."""
    for part in ("backbone", "neck"):
        component = cfg.model.get(part) or {}
        if pretrained_source(component.get("init_cfg")):
            component.init_cfg = None
