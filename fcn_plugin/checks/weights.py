"""The weights that a config starts from: that they are here, fit, and expect what the config gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mmengine.config import Config
from torch import Tensor, nn

from ..geometry.backbones import component_class
from ..models.layers import BilinearUpsample
from ..weights.checkpoint import WeightsError
from ..weights.download import local_file
from ..weights.importing import import_weights
from ..weights.loading import part_weights
from .expectations import check_expectations
from .model import check_model

PARTS = ("backbone", "neck")


def check_pretrained(cfg: Config) -> None:
    """Check the checkpoints from which backbone and neck are initialised, downloading them if need be.

    Raises:
        FileNotFoundError: naming the option that gives another file.
        WeightsError: for a file that is truncated, unsafe, of no known source, or wants other input than the config's.
    """
    sources: dict[str, list[str]] = {}
    for part in PARTS:
        component = cfg.model.get(part) or {}
        # of other backbones than ours the toolbox knows more
        if is_pretrained(component.get("init_cfg")) and hasattr(component_class(component["type"]), "coord_maps"):
            sources.setdefault(component["init_cfg"]["checkpoint"], []).append(part)
    for source, parts in sources.items():
        options = " ".join(f"model.{part}.init_cfg.checkpoint=FILE" for part in parts)
        try:
            meta = import_weights(local_file(source))["meta"]
        except (FileNotFoundError, WeightsError) as error:
            raise type(error)(
                f"the pretrained weights of {' and '.join(parts)}: {error}; give others with --cfg-options {options}"
            ) from error
        check_expectations(meta, cfg.model, source)


def check_start(cfg: Config, source: str) -> None:
    """Check a checkpoint that a config is to start from or be tested with: that it can be read, and that it fits.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: for a file that is truncated, unsafe, of no known source, or wants another model or input.
    """
    checkpoint = import_weights(local_file(source))
    check_expectations(checkpoint["meta"], cfg.model, source)
    hook = next((hook for hook in cfg.get("custom_hooks") or [] if hook.type == "CheckpointCheckHook"), None)
    if hook:
        weights = checkpoint["state_dict"]
        check_state_dict(check_model(cfg), weights, hook.get("may_differ", ()), hook.get("earlier_stage", True))


def check_fit(checkpoint: Mapping, cfg: Config, source: str) -> list[str]:
    """Check imported weights against the model of a config, without making its weights.

    Args:
        checkpoint (Mapping): as from :func:`import_weights`.
        cfg (Config): of a segmentor.
        source (str): what to call the weights in an error.

    Returns:
        list[str]: parts of the model for which there are weights.

    Raises:
        WeightsError: naming what is missing, unknown or of another shape, or expected otherwise.
    """
    model = check_model(cfg)
    weights = {key: value for key, value in checkpoint["state_dict"].items() if not key.startswith("fc8.")}
    parts = list(dict.fromkeys(key.partition(".")[0] for key in weights))
    if "decode_head" in parts:
        check_state_dict(model, weights, earlier_stage=False)
    else:
        for part in parts:
            part_weights(getattr(model, part), part, weights)
    check_expectations(checkpoint["meta"], cfg.model, source)
    return parts


def drop_pretrained(cfg: Config) -> None:
    """Remove the ImageNet initialisation of a model that starts from a checkpoint of its own."""
    for part in PARTS:
        component = cfg.model.get(part) or {}
        if is_pretrained(component.get("init_cfg")):
            component.init_cfg = None


def is_pretrained(init_cfg: dict | None) -> bool:
    """Whether an ``init_cfg`` loads a checkpoint."""
    return isinstance(init_cfg, dict) and init_cfg.get("type") == "Pretrained"


def check_state_dict(
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
            " CheckpointCheckHook's may_differ"
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
