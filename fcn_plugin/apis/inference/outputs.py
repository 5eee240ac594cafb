"""What can be saved of a prediction besides labels and overlays: probabilities, confidence and logits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...utils.text import nearest

PROBABILITIES, CONFIDENCE, LOGITS = "probabilities", "confidence", "logits"
SAVE_TYPES, MEASURES = ("uint8", "float16"), ("entropy", "margin")


@dataclass(frozen=True)
class Output:
    """One kind of values that follow from the logits of each pixel.

    Attributes:
        name: of the kind, and of its folder.
        bands: names of the bands.
        dtype: uint8, in which 255 is 1, or float16.
        compute: values (B, h, w) of logits (K, h, w), float32.
    """

    name: str
    bands: tuple[str, ...]
    dtype: np.dtype
    compute: Callable[[Tensor], Tensor]

    def values(self, logits: Tensor) -> np.ndarray:
        """The values (B, h, w) of logits (K, h, w), as they are saved."""
        values = self.compute(logits.float())
        if self.dtype == np.uint8:
            return (values * 255).round().to("cpu", torch.uint8).numpy()
        most = torch.finfo(torch.float16).max
        return values.clamp(-most, most).to("cpu", torch.float16).numpy()


def probabilities(logits: Tensor) -> Tensor:
    """Probabilities (K, h, w) of logits (K, h, w); of a single score those of its two classes, (2, h, w)."""
    if len(logits) > 1:
        return logits.softmax(0)
    return torch.cat([(-logits).sigmoid(), logits.sigmoid()])


def confidence(logits: Tensor, measure: str) -> Tensor:
    """How sure a network is of each pixel, from 0 to 1, (1, h, w).

    Args:
        logits (Tensor): (K, h, w).
        measure (str): ``entropy``: 1 less the entropy of the probabilities as a share of the largest that there is,
            log K; or ``margin``: the largest probability less the second.
    """
    shares = probabilities(logits)
    if measure == "margin":
        first, second = shares.topk(2, dim=0).values
        return (first - second)[None]
    entropy = torch.special.entr(shares).sum(0, keepdim=True)
    return (1 - entropy / math.log(len(shares))).clamp(0, 1)


def make_outputs(
    kinds: Sequence[str],
    classes: Sequence[str],
    scores: int,
    chosen: Sequence[str] | None = None,
    save_type: str = "uint8",
    measure: str = "entropy",
) -> list[Output]:
    """The outputs of a network of so many scores.

    Args:
        kinds (Sequence[str]): of ``probabilities``, ``confidence`` and ``logits``; others are passed over.
        classes (Sequence[str]): names of the classes.
        scores (int): of each pixel: as many as classes, or 1.
        chosen (Sequence[str], optional): names of the classes whose probabilities and logits are wanted; by default
            all. The one logit of a single score is that of the second class.
        save_type (str): of probabilities and confidence, ``uint8`` or ``float16``. Logits are float16.
        measure (str): of the confidence, ``entropy`` or ``margin``, see :func:`confidence`.

    Raises:
        ValueError: for unknown classes, types and measures.
    """
    for name, value, known in (("save type", save_type, SAVE_TYPES), ("confidence", measure, MEASURES)):
        if value not in known:
            raise ValueError(f"the {name} must be {' or '.join(known)}, got {value!r}")
    places = class_places(classes, chosen)
    names, dtype = tuple(classes[place] for place in places), np.dtype(save_type)
    single = scores == 1
    of_kinds = {
        PROBABILITIES: Output(PROBABILITIES, names, dtype, lambda logits: probabilities(logits)[places]),
        CONFIDENCE: Output(CONFIDENCE, (measure,), dtype, lambda logits: confidence(logits, measure)),
        LOGITS: Output(
            LOGITS,
            (classes[-1],) if single else names,
            np.dtype("float16"),
            lambda logits: logits if single else logits[places],
        ),
    }
    return [of_kinds[kind] for kind in dict.fromkeys(kinds) if kind in of_kinds]


def class_places(classes: Sequence[str], chosen: Sequence[str] | None) -> list[int]:
    """The indices of the classes that are chosen by their names, of all by default.

    Raises:
        ValueError: for an unknown name.
    """
    if chosen is None:
        return list(range(len(classes)))
    for name in chosen:
        if name not in classes:
            known = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
            raise ValueError(f"there is no class {name!r} among {known}{nearest(name, classes)}")
    return [list(classes).index(name) for name in dict.fromkeys(chosen)]
