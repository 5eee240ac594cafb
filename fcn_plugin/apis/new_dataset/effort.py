"""What a training takes: memory and time, estimated from what the layers of its network return and multiply."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .facts import DatasetFacts
from .trunks import Trunk

MEMORY = 4 << 30  #: bytes that a step of the training may take, twice what a tested picture may
OF_STEP, OF_TEST = 16, 12  #: bytes for each class and pixel: logits, and what is made of them
TESTED = 0.15  #: what a forward pass takes of the bytes that are kept for a backward pass
PIXELS, PICTURES, SECONDS = 1 << 20, 16, 1.0  #: of a step, at most
FOR_BATCH_NORM = 4  #: pictures of a batch, at least
#: Seconds of a step on two cores for each multiplication and for each byte; the share of it that a forward pass takes.
DENSE, MOVED, FORWARD = 6 / 3e11, 3e-10, 1 / 3
PASSES, ITERATIONS = 20, (1200, 20000)  #: over the pixels of all pictures; fewest and most iterations
FAST_ITERATIONS, FAST_SECONDS = 600, 540  #: of a fast training, at most
#: How many validations: fewest and most, those of a fast training, and their share of the time at most.
VALIDATIONS, FAST_VALIDATIONS, SHARE = (5, 10), 3, 0.2


@dataclass(frozen=True)
class Length:
    """How long a training is.

    Attributes:
        iterations: of it, a multiple of the validations.
        validations: how many there are.
        val_pictures: how many pictures of val they may read.
        minutes: that all takes on two cores, about.
    """

    iterations: int
    validations: int
    val_pictures: int
    minutes: int

    @property
    def interval(self) -> int:
        """Iterations between validations."""
        return self.iterations // self.validations

    @property
    def patience(self) -> int:
        """How many validations in turn may bring nothing better before the training stops."""
        return (self.validations + 1) // 2


def step_memory(facts: DatasetFacts, trunk: Trunk, pixels: int) -> float:
    """Bytes that a step of the training takes for its maps."""
    return pixels * (trunk.bytes + OF_STEP * len(facts.classes))


def test_memory(facts: DatasetFacts, trunk: Trunk) -> float:
    """Bytes that the prediction of the largest picture takes."""
    return math.prod(facts.largest) * (TESTED * trunk.bytes + OF_TEST * len(facts.classes))


def _step_seconds(trunk: Trunk, pixels: float) -> float:
    return pixels * (DENSE * trunk.multiplications + MOVED * trunk.bytes)


def largest_batch(facts: DatasetFacts, trunk: Trunk, crop: tuple[int, int]) -> int:
    """The batch size, a power of two, that memory and time allow for crops of a height and a width."""
    area = math.prod(crop)
    wanted = min(PICTURES, PIXELS // area, int(SECONDS / _step_seconds(trunk, area)))
    wanted = max(wanted, FOR_BATCH_NORM if trunk.batch_norm else 1)
    size = max(1, min(wanted, int(MEMORY / step_memory(facts, trunk, area))))
    return 1 << (size.bit_length() - 1)


def length_of(facts: DatasetFacts, trunk: Trunk, pixels: int, fast: bool) -> Length:
    """How long to train with steps of so many pixels."""
    area = float(np.mean(np.prod(facts.sizes, axis=1)))
    step, picture = _step_seconds(trunk, pixels), FORWARD * _step_seconds(trunk, area)
    if fast:
        iterations, validations, unit = min(FAST_ITERATIONS, FAST_SECONDS / step), FAST_VALIDATIONS, 1
    else:
        fewest, most = ITERATIONS
        iterations = min(max(fewest, PASSES * facts.splits["train"] * area / pixels), most)
        fewest, most = VALIDATIONS
        affordable = int(SHARE * iterations * step / (picture * facts.splits["val"]))
        validations, unit = min(max(fewest, affordable), most), 10
    pictures = min(facts.splits["val"], max(1, int(SHARE * iterations * step / (picture * validations))))
    iterations = max(1, round(iterations / (unit * validations))) * unit * validations
    minutes = math.ceil((step * iterations + picture * validations * pictures) / 60)
    return Length(iterations, validations, pictures, minutes)
