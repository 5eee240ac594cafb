"""The weights that a config starts from: that they are here, fit, and expect what the config gives them."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.config import Config

from ..backbone_geometry import component_class
from ..weights.checkpoint import WeightsError
from ..weights.download import local_file
from ..weights.importing import import_weights
from ..weights.loading import part_weights
from .expectations import check_expectations
from .hooks.weight_handover_hook import check_handover
from .preflight import check_model

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
    hook = next((hook for hook in cfg.get("custom_hooks") or [] if hook.type == "WeightHandoverHook"), None)
    if hook:
        weights = checkpoint["state_dict"]
        check_handover(check_model(cfg), weights, hook.get("may_differ", ()), hook.get("earlier_stage", True))


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
        check_handover(model, weights, earlier_stage=False)
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
