"""The input that a network's weights expect, in the words of a config's ``data_preprocessor``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..utils.text import nearest
from .checkpoint import WeightsError

#: Caffe's ImageNet networks and the reference FCN: BGR, 0..255, minus the mean.
CAFFE = dict(bgr_to_rgb=False, mean=[104.00699, 116.66877, 122.67892], std=[1.0, 1.0, 1.0])
#: torchvision and mmpretrain: RGB 0..1, minus the mean, by the standard deviation, here times 255.
TORCHVISION = dict(bgr_to_rgb=True, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
#: Caffe's VGG16 with its input channels in reverse order (SSD's weights): RGB, 0..255, minus the mean.
RGB_255 = dict(bgr_to_rgb=True, mean=[123.675, 116.28, 103.53], std=[1.0, 1.0, 1.0])
#: What the command line calls them.
PREPROCESSINGS = dict(caffe=CAFFE, torchvision=TORCHVISION, rgb255=RGB_255)

#: Levels by which means may differ: the VGG authors, Keras and the reference FCN each round them differently.
MEAN_TOLERANCE = 2.0
STD_TOLERANCE = 0.05


def named_preprocessing(name: str | None) -> dict | None:
    """A preprocessing by its name on the command line, None for none.

    Raises:
        ValueError: if there is no such name.
    """
    if name is not None and name not in PREPROCESSINGS:
        choices = ", ".join(PREPROCESSINGS)
        raise ValueError(f"--preprocessing must be one of {choices}, got {name!r}{nearest(name, PREPROCESSINGS)}")
    return PREPROCESSINGS[name] if name else None


def preprocessing_of(data_preprocessor: Mapping) -> dict:
    """The part of a config's ``data_preprocessor`` that weights depend on; without mean and std, 0 and 1."""
    mean, std = data_preprocessor.get("mean"), data_preprocessor.get("std")
    return dict(
        bgr_to_rgb=bool(data_preprocessor.get("bgr_to_rgb", False)),
        mean=[0.0] if mean is None else [float(value) for value in mean],
        std=[1.0] if std is None else [float(value) for value in std],
    )


def check_preprocessing(expected: Mapping, data_preprocessor: Mapping, weights: str) -> None:
    """Check that a config prepares images as its weights expect them.

    Args:
        expected (Mapping): ``bgr_to_rgb``, ``mean`` and ``std``, from the ``meta`` of a checkpoint.
        data_preprocessor (Mapping): of the config's model.
        weights (str): what to call the weights in the error.

    Raises:
        WeightsError: naming the settings to change.
    """
    expected, given = preprocessing_of(expected), preprocessing_of(data_preprocessor)
    changes = []
    if expected["bgr_to_rgb"] != given["bgr_to_rgb"]:
        changes.append("bgr_to_rgb")
    if not _close(expected["mean"], given["mean"], atol=MEAN_TOLERANCE):
        changes.append("mean")
    if not _close(expected["std"], given["std"], rtol=STD_TOLERANCE):
        changes.append("std")
    if changes:
        settings = " ".join(f"model.data_preprocessor.{key}={_compact(expected[key])}" for key in changes)
        raise WeightsError(
            f"{weights} expects {describe(expected)}, but the config gives {describe(given)}: change the config's"
            f" data_preprocessor, for example with --cfg-options {settings}"
        )


def _close(expected: list[float], given: list[float], **tolerances: float) -> bool:
    if len({len(expected), len(given)} - {1}) > 1:
        return False
    return np.allclose(given, expected, **{"rtol": 0, "atol": 0, **tolerances})


def describe(preprocessing: Mapping) -> str:
    """A preprocessing in a few words, such as ``BGR images, mean 104,116.7,122.7, std 1,1,1``."""
    order = "RGB" if preprocessing["bgr_to_rgb"] else "BGR"
    mean, std = (",".join(f"{value:.4g}" for value in preprocessing[key]) for key in ("mean", "std"))
    return f"{order} images, mean {mean}, std {std}"


def _compact(value: object) -> str:
    return str(value).replace(" ", "")


def fold_preprocessing(state_dict: dict[str, Tensor], preprocessing: Mapping) -> tuple[dict[str, Tensor], dict]:
    """Fold channel order and standard deviation into the first convolution, which then takes Caffe's kind of input.

    The network computes the same from BGR images, 0..255 minus the mean, as before from its own preprocessing: also
    where the image is padded, since a padded zero stands for the mean before and after. The mean is kept, because a
    change of it would not be exact there.

    Args:
        state_dict (dict): canonical weights.
        preprocessing (Mapping): what they expect.

    Returns:
        tuple[dict, dict]: the weights (the given ones are not changed) and their new preprocessing.

    Raises:
        WeightsError: if there is no first convolution, or it does not take the channels of the preprocessing.
    """
    names = ("conv1_1", "conv1", "conv1_7x7_s2")
    key = next((key for name in names if (key := f"backbone.{name}.weight") in state_dict), None)
    old = preprocessing_of(preprocessing)
    if key is None or state_dict[key].shape[1] != len(old["std"]):
        raise WeightsError(
            f"there is no first convolution of {len(old['std'])} input channels to fold {describe(old)} into"
        )
    weight, std = state_dict[key], torch.tensor(old["std"], dtype=torch.float64)
    folded = weight.double() / std[:, None, None]
    mean = old["mean"]
    if old["bgr_to_rgb"]:
        folded, mean = folded.flip(1), mean[::-1]
    new = dict(bgr_to_rgb=False, mean=mean, std=[1.0] * len(mean))
    return {**state_dict, key: folded.to(weight.dtype)}, new
