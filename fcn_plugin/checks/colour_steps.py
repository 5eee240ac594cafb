"""That the steps of a pipeline which change colours are given pictures that have them."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from mmseg.datasets.transforms import CLAHE, AdjustGamma, PhotoMetricDistortion, RGB2Gray

from .loaders import find_loaders, kind_of
from .parts import Part, build_steps

#: Steps of the toolbox that take BGR or grey from 0 to 255: without a word, they leave bands out, or cut values off.
COLOUR_STEPS = (PhotoMetricDistortion, RGB2Gray, CLAHE, AdjustGamma)


def check_colour_steps(part: Part, samples: Sequence[dict]) -> None:
    """Check that a pipeline with steps for colours loads pictures of three bands of 8 bits, by the first that it reads.

    Args:
        part (Part): the data set.
        samples (Sequence[dict]): its ``data_list``.

    Raises:
        ValueError: naming the steps, the picture, its bands and its values.
    """
    steps = build_steps(part)
    names = [type(step).__name__ for step in steps if isinstance(step, COLOUR_STEPS)]
    if not names or not samples:
        return
    try:
        loader = next(one for one in find_loaders(steps, samples[:1])[0] if kind_of(one) == "img")
        image = loader(copy.deepcopy(samples[0]))["img"]
    except Exception:  # the check of the samples tells it
        return
    bands = image.shape[2] if image.ndim == 3 else 1
    if bands in (1, 3) and (image.dtype == np.uint8 or image.max(initial=0) <= 255.5):
        return
    raise ValueError(
        f"{' and '.join(dict.fromkeys(names))} of {part.name} takes colours from 0 to 255, but"
        f" {samples[0]['img_path']} has {bands} bands with values up to {image.max():g}: leave it out"
    )
