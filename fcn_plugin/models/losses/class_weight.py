"""The weights of classes in the losses of a head."""

from __future__ import annotations

import math

import numpy as np
from torch import nn

from .of_head import losses_of


def check_class_weight(head: nn.Module) -> None:
    """Check that the losses of a built head weigh as many classes as it scores; the losses do not know their number.

    Raises:
        ValueError: for another number of weights, and for what is no weight.
    """
    for loss in losses_of(head):
        weights = getattr(loss, "class_weight", None)
        if weights is None:
            continue
        what = f"class_weight of {type(loss).__name__} must list one weight for each of {head.num_classes} classes"
        if isinstance(weights, (str, dict)) or np.ndim(weights) != 1:
            raise ValueError(f"{what}, got {weights!r}")
        if len(weights) not in (head.num_classes, head.out_channels):
            raise ValueError(f"{what}, got {len(weights)}: {list(weights)}")
        numbers = np.asarray(weights)
        if numbers.dtype.kind not in "fiu" or not all(math.isfinite(one) and one >= 0 for one in numbers.tolist()):
            raise ValueError(f"{what}, numbers of 0 or more, got {list(weights)}")
