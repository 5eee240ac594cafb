"""The steps of a pipeline that load labels, known by their classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mmcv.transforms import LoadAnnotations, TestTimeAug
from mmseg.registry import TRANSFORMS

from ...utils.config import class_of


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
