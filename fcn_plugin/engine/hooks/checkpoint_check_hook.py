"""Loading weights by name, with no silent gap."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

from mmengine.hooks import Hook
from mmengine.model import BaseModule, is_model_wrapper
from mmengine.registry import HOOKS, RUNNERS
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ...checks.weights import check_expectations, check_state_dict, expectations_of
from ...models.pretrained_part import pretrained_source
from ...utils.config import class_of
from ...weights.importing import without_wrappers
from ...weights.layer_names import canonical, is_reference_name
from ..precision import precision_in_use, set_precision

NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


@HOOKS.register_module(name=["CheckpointCheckHook", "WeightHandoverHook"])  # the latter: its name before 0.2
class CheckpointCheckHook(Hook):
    """Check every checkpoint that the runner loads against the model, and drop what an earlier stage has in addition.

    The toolbox itself logs missing and unknown weights as a warning and goes on with random ones. Checkpoints of
    pytorch-fcn are taken as they are. Saved checkpoints note the input that they were trained with, and the precision.

    Args:
        may_differ (Sequence[str]): regular expressions of names that may be missing or of another shape, for example
            ``['decode_head']`` to fine-tune on other classes; those keep their initial values.
        earlier_stage (bool): whether a training may start from the checkpoint of the earlier stage.
    """

    priority = "HIGH"  # before hooks that take weights for themselves, as EMAHook does

    def __init__(self, may_differ: Sequence[str] = (), earlier_stage: bool = True) -> None:
        self.may_differ, self.earlier_stage = tuple(may_differ), earlier_stage
        self._loaded = False

    def before_run(self, runner: Runner) -> None:
        """Log the precision; for a plain Runner, do what can be done of the config's own, and say what is not."""
        named = class_of(dict(type=runner.cfg.get("runner_type")), RUNNERS)
        stage_runner = getattr(named, "stage_runner", None)  # of a StagedRunner
        if stage_runner and not isinstance(runner, stage_runner):
            runner.load_checkpoint = partial(stage_runner.load_checkpoint, runner)  # safe, and of any known source
            if _trains(runner):
                runner.logger.warning(
                    f"this is a plain {type(runner).__name__}, not the config's runner_type: earlier stages are not"
                    " trained, `precision` and `compile` not set as the config has them, weights and data not checked"
                    " beforehand. Start it with tools/train.py or mmengine.registry.RUNNERS.build(cfg).train()"
                )
            else:
                _set_precision(runner)
        runner.logger.info(f"computes in {precision_in_use(runner)}")

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the weights; raises WeightsError as :func:`check_state_dict` and :func:`check_expectations`."""
        state_dict = checkpoint.get("state_dict") or checkpoint.get("model_state_dict") or checkpoint
        if (bare := without_wrappers(state_dict)).keys() != state_dict.keys():  # saved by a FlexibleRunner's strategy
            state_dict.clear()
            state_dict.update(bare)
        if all(map(is_reference_name, state_dict)):
            state_dict = canonical(state_dict)
            checkpoint.clear()
            checkpoint["state_dict"] = state_dict
        model, meta = _segmentor(runner), checkpoint.get("meta") or {}
        trains = _trains(runner)
        left_over = check_state_dict(model, state_dict, self.may_differ, self.earlier_stage and trains)
        check_expectations(meta, model, "the checkpoint")
        for key in left_over:
            del state_dict[key]
        if left_over:
            runner.logger.info(f"not taken over from the earlier stage: {', '.join(left_over)}")
        if "precision" in meta and (runner._resume or not trains) and meta["precision"] != precision_in_use(runner):
            runner.logger.warning(
                f"the checkpoint was trained in {meta['precision']}, and this run computes in"
                f" {precision_in_use(runner)}, so figures may differ slightly: set `precision` in the config, --amp or"
                " --no-amp to compute as before"
            )
        self._loaded = True

    def before_train(self, runner: Runner) -> None:
        """Warn of a start from which these networks do not learn."""
        if not self._loaded:
            for warning in start_warnings(_segmentor(runner)):
                runner.logger.warning(warning)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note in the checkpoint what its weights expect, and the precision in which they were trained."""
        checkpoint["meta"].update(expectations_of(_segmentor(runner)), precision=precision_in_use(runner))


def start_warnings(model: nn.Module) -> list[str]:
    """What will keep a segmentor from learning if it is trained without a checkpoint to start from.

    Source: sections 4.2 and 4.3 of the FCN paper: training from scratch is not feasible, and the finer nets are
    initialised from the coarser ones.
    """
    warnings = []
    backbone = getattr(model, "backbone", model)  # not all segmentors have one
    normalised = any(isinstance(module, NORMS) for module in backbone.modules())
    # a plain module, without the toolbox's init_cfg, may have loaded its weights when it was built
    starts_at_random = isinstance(backbone, BaseModule) and not pretrained_source(backbone.init_cfg)
    if starts_at_random and not normalised:
        warnings.append(
            "the backbone starts at random: without normalisation layers a network of this depth hardly learns (expect"
            " background everywhere); give it ImageNet weights with model.backbone.init_cfg.checkpoint and"
            " model.neck.init_cfg.checkpoint, or start from a trained model with load_from"
        )
    scales = getattr(getattr(model, "decode_head", None), "skip_scales", [])
    if not normalised and any(scale == 1 for scale in scales):
        warnings.append(
            f"a net with {len(scales)} skips starts without the coarser net's weights: train its stages in turn"
            " (tools/train.py without --stage-only), give the coarser net's checkpoint with load_from, or scale the"
            " skips to train it at once (model.decode_head.skip_scales, as in fcn8s-atonce_vgg16_voc.py)"
        )
    return warnings


def _segmentor(runner: Runner) -> nn.Module:
    """The runner's segmentor, out of its wrappers for several processes or test-time augmentation."""
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model if hasattr(model, "decode_head") else getattr(model, "module", model)


def _trains(runner: Runner) -> bool:
    """Whether the runner was started to train, not to validate or to test."""
    return isinstance(runner._train_loop, BaseLoop)


def _set_precision(runner: Runner) -> None:
    """Let a validation or test that is about to begin compute in the precision of the runner's config."""
    cfg = copy.deepcopy(runner.cfg)
    set_precision(cfg)
    for loop, settings in ((runner._val_loop, cfg.get("val_cfg")), (runner._test_loop, cfg.get("test_cfg"))):
        if isinstance(loop, BaseLoop):
            loop.fp16 = (settings or {}).get("fp16", False)
