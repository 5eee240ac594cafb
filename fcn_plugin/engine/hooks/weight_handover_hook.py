"""Loading weights by name, with no silent gap."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ...layers import BilinearUpsample
from ...weights.checkpoint import WeightsError
from ...weights.layer_names import canonical, is_reference_name
from ..expectations import check_expectations, expectations_of

NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


def check_handover(
    model: nn.Module, state_dict: dict[str, Tensor], may_differ: Sequence[str] = (), earlier_stage: bool = True
) -> list[str]:
    """Check that a checkpoint fits a segmentor, or is that of its earlier stage (FCN-32s for FCN-16s).

    Args:
        model (nn.Module): the segmentor.
        state_dict (dict): weights, by name.
        may_differ (Sequence[str]): regular expressions of names that may be missing or of another shape.
        earlier_stage (bool): whether the checkpoint may be that of the earlier stage.

    Returns:
        list[str]: names of the checkpoint's weights that are not taken over.

    Raises:
        WeightsError: naming the weights that are missing, left over or of another shape, and what to do.
    """
    own = model.state_dict()
    head = model.decode_head
    declared: set[str] = set()
    if earlier_stage and hasattr(head, "earlier_stage_difference"):
        declared = {f"decode_head.{key}" for keys in head.earlier_stage_difference() for key in keys}

    def tolerated(key: str) -> bool:
        return key in declared or key.endswith("num_batches_tracked") or any(re.search(p, key) for p in may_differ)

    score = "decode_head.score_fr.weight"
    if score in own and score in state_dict and not tolerated(score) and len(own[score]) != len(state_dict[score]):
        raise WeightsError(
            f"the checkpoint has {len(state_dict[score])} classes, the config {len(own[score])}: set"
            " model.decode_head.num_classes to fit, or, to fine-tune on other classes, list 'decode_head' in the"
            " WeightHandoverHook's may_differ"
        )
    missing = [key for key in own if key not in state_dict and not tolerated(key)]
    left_over = [key for key in state_dict if key not in own]
    unknown = [key for key in left_over if not tolerated(key)]
    reshaped = [
        f"{key} {tuple(state_dict[key].shape)} for {tuple(own[key].shape)}"
        for key in own
        if key in state_dict
        and state_dict[key].shape != own[key].shape
        and not tolerated(key)
        # fixed and learnable upsampling keep their kernels differently and load each other's
        and not re.fullmatch(r"decode_head\.upscore\w*\.weight", key)
    ]
    for name, module in model.named_modules():
        if isinstance(module, BilinearUpsample) and f"{name}.weight" in state_dict:
            try:
                module.to_own_layout(state_dict[f"{name}.weight"])
            except ValueError as error:
                raise WeightsError(f"{name}: {error}") from error
    problems = [
        f"{what}: {', '.join(keys[:4])}{f' and {len(keys) - 4} more' if len(keys) > 4 else ''}"
        for what, keys in (("missing", missing), ("unknown", unknown), ("of another shape", reshaped))
        if keys
    ]
    if problems:
        raise WeightsError(
            f"the checkpoint does not fit the config ({'; '.join(problems)}): give the checkpoint of this config"
            + (" or of its earlier stage" if earlier_stage else "")
        )
    return left_over


@HOOKS.register_module()
class WeightHandoverHook(Hook):
    """Check every checkpoint that the runner loads against the model, and drop what an earlier stage has in addition.

    The toolbox itself logs missing and unknown weights as a warning and goes on with random ones. Checkpoints of
    pytorch-fcn are taken as they are. Saved checkpoints note the input that they were trained with.

    Args:
        may_differ (Sequence[str]): regular expressions of names that may be missing or of another shape, for example
            ``['decode_head']`` to fine-tune on other classes; those keep their initial values.
        earlier_stage (bool): whether a checkpoint may be that of the earlier stage; not when testing.
    """

    def __init__(self, may_differ: Sequence[str] = (), earlier_stage: bool = True) -> None:
        self.may_differ, self.earlier_stage = tuple(may_differ), earlier_stage
        self._loaded = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the weights; raises WeightsError as :func:`check_handover` and :func:`check_expectations`."""
        state_dict = checkpoint.get("state_dict") or checkpoint.get("model_state_dict") or checkpoint
        if all(map(is_reference_name, state_dict)):
            state_dict = canonical(state_dict)
            checkpoint.clear()
            checkpoint["state_dict"] = state_dict
        left_over = check_handover(_segmentor(runner), state_dict, self.may_differ, self.earlier_stage)
        if "model" in runner.cfg:
            check_expectations(checkpoint.get("meta") or {}, runner.cfg.model, "the checkpoint")
        for key in left_over:
            del state_dict[key]
        if left_over:
            runner.logger.info(f"not taken over from the earlier stage: {', '.join(left_over)}")
        self._loaded = True

    def before_train(self, runner: Runner) -> None:
        """Warn of a start from which these networks do not learn."""
        if not self._loaded:
            for warning in start_warnings(_segmentor(runner)):
                runner.logger.warning(warning)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note in the checkpoint what its weights expect."""
        if "model" in runner.cfg:
            checkpoint["meta"].update(expectations_of(runner.cfg.model))


def start_warnings(model: nn.Module) -> list[str]:
    """What will keep a segmentor from learning if it is trained without a checkpoint to start from.

    Source: sections 4.2 and 4.3 of the FCN paper: training from scratch is not feasible, and the finer nets are
    initialised from the coarser ones.
    """
    warnings = []
    init_cfgs = model.backbone.init_cfg if isinstance(model.backbone.init_cfg, list) else [model.backbone.init_cfg]
    pretrained = any(init_cfg and init_cfg["type"] == "Pretrained" for init_cfg in init_cfgs)
    normalised = any(isinstance(module, NORMS) for module in model.backbone.modules())
    if not pretrained and not normalised:
        warnings.append(
            "the backbone starts at random: without normalisation layers a network of this depth hardly learns (expect"
            " background everywhere); give it ImageNet weights with model.backbone.init_cfg.checkpoint and"
            " model.neck.init_cfg.checkpoint, or start from a trained model with load_from"
        )
    head = model.decode_head
    scales = getattr(head, "skip_scales", [])
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
    return model if hasattr(model, "decode_head") else model.module
