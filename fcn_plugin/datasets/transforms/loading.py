"""The steps of a pipeline that load images and labels, known by their classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from mmcv.transforms import LoadAnnotations, TestTimeAug
from mmseg.registry import TRANSFORMS

from ...utils.config import class_of
from ...utils.images import as_picture
from .load_bands import LoadBands


def is_step(step: Mapping | Callable, kind: type) -> bool:
    """Whether a step of a pipeline, by its config or built, is a transform of a class or of one derived from it."""
    if not isinstance(step, Mapping):
        return isinstance(step, kind)
    found = class_of(step, TRANSFORMS)
    return isinstance(found, type) and issubclass(found, kind)


def loads_labels(step: Mapping | Callable) -> bool:
    """Whether a step loads labels."""
    return is_step(step, LoadAnnotations)


def without_label_loaders(pipeline: Sequence[Mapping]) -> list[Mapping]:
    """A pipeline without the steps that load labels, also inside test-time augmentation; the given one stays."""
    steps = [dict(step) if isinstance(step, Mapping) else step for step in pipeline if not loads_labels(step)]
    for step in steps:
        if isinstance(step, Mapping) and is_step(step, TestTimeAug):
            step["transforms"] = [one for one in step["transforms"] if not loads_labels(one[0])]
    return steps


def picture_of(image: np.ndarray, loader: Callable | None) -> np.ndarray:
    """An image as a picture to look at, BGR, uint8 (H, W, 3), with the bands that the step that loaded it shows.

    Args:
        image (np.ndarray): (H, W) or (H, W, C), see :func:`as_picture`.
        loader (Callable, optional): the step, built.
    """
    bands = image.shape[2] if image.ndim == 3 else 1
    return as_picture(image, loader.shown(bands) if isinstance(loader, LoadBands) else None)
