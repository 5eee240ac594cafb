"""The weights that a model starts from: that they are here, fit it, and expect what it gives them."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..models.data_preprocessors import BandsDataPreProcessor
from ..models.decode_heads.fcn_skip_head import FCNSkipHead
from ..models.layers import BilinearUpsample
from ..models.pretrained_part import PretrainedPart
from ..utils.text import summarize
from ..weights.checkpoint import WeightsError
from ..weights.download import local_file
from ..weights.first_convolution import COLOURS, differs_in_bands, first_convolution
from ..weights.importing import import_weights
from ..weights.loading import compare_state_dicts, part_weights
from ..weights.preprocessing import check_preprocessing
from .model import check_model

PARTS = ("backbone", "neck")


def model_to_check(cfg: Config) -> nn.Module:
    """The segmentor of a config, without the values of its weights, but with a data preprocessor that has them.

    Raises:
        ValueError: as :func:`check_model`.
    """
    model, settings = check_model(cfg), cfg.model
    if hasattr(model, "module"):  # wrapped for test-time augmentation
        model, settings = model.module, settings.module
    preprocessor = settings.get("data_preprocessor") or cfg.get("data_preprocessor")
    if preprocessor:
        with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"):
            model.data_preprocessor = MODELS.build(preprocessor)
    return model


def pretrained_parts(model: nn.Module) -> dict[str, list[str]]:
    """The sources of the weights from which backbone and neck are initialised, with the parts that each is for.

    Those of other backbones than ours are left to the toolbox.
    """
    sources: dict[str, list[str]] = {}
    for name in PARTS:
        part = getattr(model, name, None)
        if isinstance(part, PretrainedPart) and part.pretrained:
            sources.setdefault(part.pretrained, []).append(name)
    return sources


def check_pretrained(source: str, parts: Sequence[str], model: nn.Module) -> None:
    """Check the weights from which backbone and neck are initialised, downloading them if need be.

    Raises:
        FileNotFoundError: naming the option that gives another file.
        WeightsError: for a file that is truncated, unsafe, of no known source, or wants other input than the model's.
    """
    options = " ".join(f"model.{part}.init_cfg.checkpoint=FILE" for part in parts)
    try:
        meta = import_weights(local_file(source))["meta"]
    except (FileNotFoundError, WeightsError) as error:
        raise type(error)(
            f"the pretrained weights of {' and '.join(parts)}: {error}; give others with --cfg-options {options}"
        ) from error
    check_expectations(_with_own_values(meta, model), model, source)


def _with_own_values(meta: Mapping, model: nn.Module) -> Mapping:
    """The ``meta`` of pretrained weights for pictures that have a mean and deviations of their own, as of 16 bits.

    Of a :class:`BandsDataPreProcessor`, only the order of three colours is compared with that of the weights.
    """
    own = model_preprocessing(model)
    if "preprocessing" not in meta or not isinstance(model.data_preprocessor, BandsDataPreProcessor):
        return meta
    if len(own["mean"]) != COLOURS:
        return meta
    return {**meta, "preprocessing": {**meta["preprocessing"], "mean": own["mean"], "std": own["std"]}}


def check_start(source: str, model: nn.Module, may_differ: Sequence[str] = (), earlier_stage: bool = True) -> dict:
    """Check a checkpoint that a model is to start from or be tested with: that it can be read, and that it fits.

    Args:
        source (str): path, URL or name of the checkpoint.
        model (nn.Module): as from :func:`model_to_check`.
        may_differ (Sequence[str]): as for :func:`check_state_dict`.
        earlier_stage (bool): likewise.

    Returns:
        dict: the checkpoint's ``meta``.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: for a file that is truncated, unsafe, of no known source, or wants another model or input.
    """
    checkpoint = import_weights(local_file(source))
    check_expectations(checkpoint["meta"], model, source)
    check_state_dict(model, checkpoint["state_dict"], may_differ, earlier_stage)
    return checkpoint["meta"]


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
    model = model_to_check(cfg)
    weights = {key: value for key, value in checkpoint["state_dict"].items() if not key.startswith("fc8.")}
    parts = list(dict.fromkeys(key.partition(".")[0] for key in weights))
    if "decode_head" in parts:
        check_state_dict(model, weights, earlier_stage=False)
    else:
        for part in parts:
            part_weights(getattr(model, part), part, weights)
    check_expectations(checkpoint["meta"], model, source)
    return parts


def expectations_of(model: nn.Module) -> dict:
    """What weights trained in a model expect, for the ``meta`` of their checkpoint."""
    scales = skip_scales(model)
    return dict(preprocessing=model_preprocessing(model), **({} if scales is None else dict(skip_scales=scales)))


def check_expectations(meta: Mapping, model: nn.Module, source: str) -> None:
    """Check that a model gives weights the input, and its skips the scales, that they were trained with.

    Args:
        meta (Mapping): of the checkpoint; without ``preprocessing`` there is a warning.
        model (nn.Module): the segmentor, its data preprocessor with values.
        source (str): what to call the weights.

    Raises:
        WeightsError: naming the settings to change.
    """
    if "preprocessing" in meta and not _has_other_bands(meta["preprocessing"], model):
        check_preprocessing(meta["preprocessing"], model_preprocessing(model), source)
    elif "source" in meta and "preprocessing" not in meta:
        print_log(
            f"{source} does not tell which input it expects, so model.data_preprocessor could not be checked:"
            " tools/import_weights.py --preprocessing notes it in the file",
            logger="current",
            level=logging.WARNING,
        )
    expected, given = meta.get("skip_scales"), skip_scales(model)
    if expected and given and any(a != b for a, b in zip(reversed(expected), reversed(given))):
        raise WeightsError(
            f"{source} was trained with skips scaled by {expected}, but the config scales them by {given}: take the"
            f" config of that model, or set model.decode_head.skip_scales={str(expected).replace(' ', '')}"
        )


def _has_other_bands(preprocessing: Mapping, model: nn.Module) -> bool:
    """Whether weights of colour pictures are for a model of other bands, whose means and deviations are its own."""
    first = first_convolution(model.backbone) if hasattr(model, "backbone") else None
    return first is not None and len(preprocessing["mean"]) == COLOURS != first[1].in_channels


def model_preprocessing(model: nn.Module) -> dict:
    """The preparation of images in a built model: ``bgr_to_rgb``, ``mean`` and ``std``; without them, 0 and 1."""
    preprocessor = getattr(model, "data_preprocessor", None)

    def values(name: str, default: float) -> list[float]:
        buffer = getattr(preprocessor, name, None)
        if buffer is None:
            return [default]
        numbers = buffer.detach().cpu().numpy().astype(np.float32).ravel()
        return [float(str(number)) for number in numbers]  # 57.12, as it was given, not 57.11999893

    names = ("_channel_conversion", "channel_conversion")  # of MMEngine, and of MMSegmentation 1.2
    return dict(
        bgr_to_rgb=any(getattr(preprocessor, name, False) for name in names),
        mean=values("mean", 0.0),
        std=values("std", 1.0),
    )


def skip_scales(model: nn.Module) -> list[float] | None:
    """The scales of the skips, fine to coarse, of a skip head; None for any other head."""
    head = getattr(model, "decode_head", None)
    return [float(scale) for scale in head.skip_scales] if isinstance(head, FCNSkipHead) else None


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
    head = getattr(model, "decode_head", None)
    declared: set[str] = set()
    if earlier_stage and hasattr(head, "earlier_stage_difference"):
        declared = {f"decode_head.{key}" for keys in head.earlier_stage_difference() for key in keys}

    def tolerated(key: str) -> bool:
        return key in declared or any(re.search(pattern, key) for pattern in may_differ)

    score = "decode_head.score_fr.weight"
    if score in own and score in state_dict and not tolerated(score) and len(own[score]) != len(state_dict[score]):
        raise WeightsError(
            f"the checkpoint has {len(state_dict[score])} classes, the config {len(own[score])}: set"
            " model.decode_head.num_classes to fit, or, to fine-tune on other classes, list 'decode_head' in the"
            " CheckpointCheckHook's may_differ"
        )
    given = dict(state_dict)
    for name, module in model.named_modules():
        key = f"{name}.weight"
        if not isinstance(module, BilinearUpsample) or key not in given:
            continue
        try:
            if not given[key].is_meta:
                module.to_own_layout(given[key])
        except ValueError as error:
            raise WeightsError(f"{name}: {error}") from error
        if all(given[key].shape[axis] == own[key].shape[axis] for axis in (0, 2, 3)):
            given[key] = own[key]  # fixed and learnable upsampling keep a kernel differently, and load each other's
    first = first_convolution(model)
    key = f"{first[0]}.weight" if first else ""
    bands = own[key].shape[1] if key in own and differs_in_bands(given.get(key), own[key].shape) else None
    misfits = compare_state_dicts(*({k: v for k, v in weights.items() if not tolerated(k)} for weights in (own, given)))
    problems = [f"{what}: {summarize(keys)}" for what, keys in misfits.items()]
    if problems:
        raise WeightsError(
            f"the checkpoint does not fit the config ({'; '.join(problems)}): give the checkpoint of this config"
            + (f" or of its earlier stage{_remedy(misfits)}" if earlier_stage else "")
            + (f"; to adapt one of {COLOURS} bands, run `fcn import FILE OUT --in-channels {bands}`" if bands else "")
        )
    return [key for key in state_dict if key not in own]


def _remedy(misfits: Mapping[str, Sequence[str]]) -> str:
    """What else can be done if weights are missing alone, as of a head of one's own with further layers."""
    if set(misfits) != {"missing"}:
        return ""
    layers = list(dict.fromkeys(".".join(key.split(".")[:2]) for key in misfits["missing"]))
    return (
        "; layers that it cannot have, as those of a head of your own, keep their initial values if the config's"
        f" custom_hooks have dict(type='CheckpointCheckHook', may_differ={layers})"
    )
