"""The runner that a config of this package names: all stages of a training, checked, in the config's precision."""

from __future__ import annotations

import copy
import gc
from functools import partial

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import RUNNERS
from torch import nn

from ..checks.memory import try_largest
from ..checks.predictions import leave_out_labels
from ..checks.run import check_evaluation, check_training
from ..weights.checkpoint import forbid_unsafe_loading
from .allocator import keep_freed_memory
from .distributed import is_first_process, run_in_first_process, set_up_distributed
from .fused_optimizer import enable_fused
from .hooks.compile_hook import enable_compile
from .precision import set_precision
from .stage_runner import StageRunner
from .stages import Stage, drop_pretrained, plan_stages, stages_to_train


@RUNNERS.register_module()
class StagedRunner:
    """Train a config with the stages that lead to it, or validate or test its checkpoint.

    A config names it as ``runner_type='StagedRunner'``, so that the toolbox's own tools start it. Each stage is run by
    a :class:`StageRunner` of its own: with its random state, log and memory, a stage is the same in one job with the
    others, alone, and resumed.

    Besides the keys of the toolbox, it reads

    - ``earlier_stage``: path of the config whose weights this one starts from;
    - ``precision`` and ``compile``: as :func:`set_precision` and :func:`enable_compile` have it;
    - ``data_check``: whether to read all images and labels beforehand, True by default;
    - ``accept_changes``: whether an interrupted training may go on with changed settings (:func:`check_resume`).
    - ``show_dir``: where a test paints its predictions (:class:`PaintHook`), nowhere by default.

    Args:
        cfg (Config): with ``work_dir``; copied.

    Raises:
        ValueError: for a launcher that cannot start CPU processes.
    """

    #: Runs a single stage.
    stage_runner = StageRunner

    def __init__(self, cfg: Config) -> None:
        self.cfg = copy.deepcopy(cfg)
        forbid_unsafe_loading()
        if get_device() == "cpu":
            keep_freed_memory()
        set_up_distributed(self.cfg)

    @classmethod
    def from_cfg(cls, cfg: Config) -> StagedRunner:
        """Build it as the toolbox builds a runner."""
        return cls(cfg)

    def train(self) -> nn.Module:
        """Train what is missing of the stages; an interrupted one goes on.

        Returns:
            nn.Module: the model of the last stage.

        Raises:
            FileNotFoundError, ValueError: before anything is written, for whatever is wrong.
        """
        stages = plan_stages(self.cfg)
        for stage in stages:
            enable_fused(stage.cfg)
            precision = set_precision(stage.cfg)
            enable_compile(stage.cfg)
        to_train = stages_to_train(stages)
        print_plan(stages, to_train, precision)
        if not to_train:
            if is_first_process():
                print("Nothing to train: all stages are done. Another --work-dir starts anew.")
            return stages[-1].load_model()
        to_train[0].set_start()
        configs, may_differ = zip(*((stage.cfg, stage.may_differ) for stage in to_train))
        before = None if to_train[0].checkpoint else to_train[0].earlier
        if before is not None:
            before.set_start()  # names its checkpoint
        samples = self.cfg.get("data_check", True)
        check = partial(check_training, configs, may_differ, samples, before and before.cfg)
        for cfg, pictures in zip(configs, run_in_first_process(check, self.cfg)):
            try_largest(cfg, pictures)
        for stage in to_train:
            model = None
            gc.collect()  # the stage before
            model = stage.train()
        return model

    def val(self) -> dict[str, float]:
        """Validate the checkpoint ``load_from``; raises as :meth:`test`."""
        return self._evaluate("val")

    def test(self) -> dict[str, float]:
        """Test the checkpoint ``load_from``.

        Returns:
            dict: the figures, in percent.

        Raises:
            FileNotFoundError, ValueError: before anything is written, for whatever is wrong.
        """
        return self._evaluate("test")

    def _evaluate(self, split: str) -> dict[str, float]:
        cfg, may_differ = self.cfg, Stage(self.cfg).may_differ
        cfg.resume = False
        leave_out_labels(cfg, split)
        if split == "test" and cfg.get("show_dir"):
            cfg.custom_hooks = [*(cfg.get("custom_hooks") or []), dict(type="PaintHook", out=cfg.show_dir)]
        samples = cfg.get("data_check", True)
        largest = run_in_first_process(lambda: check_evaluation(cfg, f"{split}_dataloader", may_differ, samples), cfg)
        drop_pretrained(cfg)
        precision = set_precision(cfg)
        enable_compile(cfg)
        if is_first_process():
            print(f"Precision: {precision}", flush=True)
        try_largest(cfg, largest)
        runner = self.stage_runner.from_cfg(cfg)
        return runner.val() if split == "val" else runner.test()


def print_plan(stages: list[Stage], to_train: list[Stage], precision: str) -> None:
    """Say, in the first process, what will happen to each stage, and in which precision."""
    if not is_first_process():
        return
    print("Plan:")
    for number, stage in enumerate(stages, start=1):
        what = stage.describe() if stage.done or stage in to_train else "not needed: a later stage has a checkpoint"
        print(f"  {number}. {stage.name}: {what}", flush=True)
    print(f"Precision: {precision}", flush=True)
