"""Staged training: FCN-32s, then FCN-16s from it, then FCN-8s, as one job that picks up where it was stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import barrier
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from torch import nn

from ..checks.resume import RUN_FACTS
from ..checks.watched import built_hook
from ..models.pretrained_part import pretrained_source
from ..utils.config import apply_settings, changed_settings, configured_hooks, counts_epochs, read_config
from ..weights.checkpoint import read_checkpoint
from .checkpoints import Checkpoints
from .hooks import CheckpointCheckHook
from .hooks.resume_hook import STOPPED_EARLY, last_validation
from .plan_checks import check_plan
from .stage_runner import StageRunner


@dataclass(eq=False)
class Stage:
    """One config of a staged training.

    Attributes:
        cfg: the config, with ``work_dir`` set.
        earlier: the stage whose weights this one starts from, if any.
        checkpoint: newest checkpoint in the work directory that can be used, if any.
        iteration: iterations (or epochs, if the config counts those) that checkpoint has behind it.
        best: the checkpoint whose weights the next stage starts from: the newest, or the best one (``save_best``).
        stopped_early: whether an EarlyStoppingHook ended the training with that checkpoint.
        validated: whether the validation after that iteration, if it was the last, was made.
        seed: of the run that saved the checkpoint.
    """

    cfg: Config
    earlier: Stage | None = None
    checkpoint: Path | None = None
    iteration: int = 0
    best: Path | None = None
    stopped_early: bool = False
    validated: bool = True
    seed: int | None = None

    @property
    def name(self) -> str:
        """Name of the config file, or of the work directory if there is none."""
        return Path(self.cfg.filename or self.cfg.work_dir).stem

    @property
    def max_iters(self) -> int:
        """Iterations of the whole stage, or epochs, if the config counts those."""
        return self.cfg.train_cfg["max_epochs" if counts_epochs(self.cfg) else "max_iters"]

    @property
    def ended(self) -> bool:
        """Whether there are no iterations left to train."""
        return self.checkpoint is not None and (self.iteration >= self.max_iters or self.stopped_early)

    @property
    def done(self) -> bool:
        """Whether the stage has been trained to its end, and validated."""
        return self.ended and self.validated

    def find_checkpoint(self) -> None:
        """Look for the newest checkpoint that can be used, and read how far it is.

        Raises:
            ValueError: if it was trained for another number of classes, or cannot be gone on from.
        """
        self.checkpoint, self.iteration, self.best, self.stopped_early, self.validated = None, 0, None, False, True
        checkpoints = Checkpoints(self.cfg)
        if (found := checkpoints.newest()) is None:
            return
        file, content = found
        meta = content.get("meta") or {}
        self._check_classes(file, content["state_dict"])
        key = "epoch" if counts_epochs(self.cfg) else "iter"
        self.checkpoint, self.iteration = file, meta[key] if key in meta else checkpoints.number(file)
        self.stopped_early, self.seed = bool(meta.get(STOPPED_EARLY)), meta.get("seed")
        if not self.ended:
            if "message_hub" not in content or key not in meta:
                raise ValueError(
                    f"{file} holds weights alone, so {self.name} cannot go on from it: start from it with"
                    f" --cfg-options load_from={file} and another --work-dir, or move it away"
                )
            return
        due = self.iteration == self.max_iters >= self.cfg.train_cfg.get("val_begin", 1)
        if due and RUN_FACTS in meta and self.cfg.get("val_dataloader"):  # older versions do not note it
            self.validated = last_validation(self.cfg.work_dir) == meta["iter"]
        self.best = checkpoints.best(content) or file

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
        for hook in configured_hooks(self.cfg, CheckpointCheckHook):
            return built_hook(hook).may_differ
        return ()

    def describe(self) -> str:
        """What will happen to this stage, in a few words."""
        if self.done:
            early = f" (stopped early, after {self.iteration} of {self.max_iters})" if self.stopped_early else ""
            return f"done: {self.checkpoint}{early}"
        unit = "epochs" if counts_epochs(self.cfg) else "iterations"
        if self.ended:
            return f"validate {self.checkpoint}, which was cut off"
        if self.checkpoint:
            return f"continue from {self.checkpoint} ({self.iteration} of {self.max_iters} {unit})"
        if self.earlier:
            return f"train {self.max_iters} {unit} from the weights of {self.earlier.name}"
        start = self.cfg.get("load_from")
        return f"train {self.max_iters} {unit}" + (f" from {start}" if start else "")

    def set_start(self) -> None:
        """Let the config start from what there is: its own checkpoint, its earlier stage's, or its ``load_from``.

        Raises:
            FileNotFoundError: if the best checkpoint of the earlier stage is not there.
        """
        self.cfg.resume = self.checkpoint is not None
        start = self.checkpoint or (self.earlier and self.earlier.ended and self.earlier.best)
        if start and not start.is_file():
            raise FileNotFoundError(
                f"there is no {start}, the best checkpoint of {self.earlier.name}, whose weights {self.name} starts"
                " from: put it back, or set default_hooks.checkpoint.save_best=None to start from the last one"
            )
        if start:
            self.cfg.load_from = str(start)
        if self.checkpoint and (self.cfg.get("randomness") or {}).get("seed") is None:
            # a seed drawn anew would bring the pictures in another order
            self.cfg.randomness = dict(self.cfg.get("randomness") or {}, seed=self.seed)

    def train(self) -> nn.Module:
        """Train this stage to its end.

        Raises:
            FileNotFoundError: if the earlier stage's checkpoint is not visible to this process.
        """
        if self.earlier and not self.checkpoint:
            self.earlier.find_checkpoint()
            if not self.earlier.ended:
                raise FileNotFoundError(
                    f"{self.earlier.name} left no checkpoint in {self.earlier.cfg.work_dir}; on several nodes, the work"
                    " directory must be on a shared file system"
                )
        self.set_start()
        self.cfg.pop("accept_changes", None)  # of this start, not of the config that is kept
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
        ValueError: if a stage was trained for another number of classes, or as :func:`check_plan`.
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
        earlier.launcher, earlier.accept_changes = cfg.get("launcher", "none"), cfg.get("accept_changes", False)
        earlier.work_dir = str(parent / Path(path).stem)
        stages[-1].earlier = Stage(earlier)
        stages.append(stages[-1].earlier)
    check_plan([stage.cfg for stage in stages[::-1]], [stage.name for stage in stages[::-1]])
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
