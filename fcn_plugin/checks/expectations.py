"""What weights expect of the model that they run in: the preparation of its input, and the scales of its skips."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from mmengine.logging import print_log

from ..geometry.backbones import component_class
from ..models.decode_heads.fcn_skip_head import FCNSkipHead
from ..weights.checkpoint import WeightsError
from ..weights.preprocessing import check_preprocessing, preprocessing_of


def expectations_of(model: Mapping) -> dict:
    """What weights trained in a model expect, for the ``meta`` of their checkpoint."""
    scales = skip_scales(model)
    return dict(
        preprocessing=preprocessing_of(model.get("data_preprocessor") or {}),
        **({} if scales is None else dict(skip_scales=scales)),
    )


def check_expectations(meta: Mapping, model: Mapping, source: str) -> None:
    """Check that a model gives weights the input, and its skips the scales, that they were trained with.

    Args:
        meta (Mapping): of the checkpoint; without ``preprocessing`` there is a warning.
        model (Mapping): the config's model.
        source (str): what to call the weights.

    Raises:
        WeightsError: naming the settings to change.
    """
    model = model.get("module", model)  # wrapped for test-time augmentation
    if "preprocessing" in meta:
        check_preprocessing(meta["preprocessing"], model.get("data_preprocessor") or {}, source)
    elif "source" in meta:
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


def skip_scales(model: Mapping) -> list[float] | None:
    """The scales of the skips, fine to coarse, that a model's config gives a skip head; None for any other head."""
    head = model["decode_head"]
    head_class = component_class(head["type"]) if isinstance(head, Mapping) else None
    if not (head_class and issubclass(head_class, FCNSkipHead)):
        return None
    return [float(scale) for scale in head.get("skip_scales") or [1] * (len(head.get("in_channels", [])) - 1)]
