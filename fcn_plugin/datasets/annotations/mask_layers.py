"""Masks of one class each, several for a picture, laid over each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ...utils.progress import in_threads
from ...utils.text import nearest, summarize
from .mask_census import take_census
from .mask_classes import IGNORED, MAX_CLASSES
from .mask_files import read_mask
from .pairing import Pairing
from .pairing_files import File
from .pairing_rules import SEPARATORS
from .pairing_ways import Way
from .palette import palette_of

BACKGROUND = "background"
SAME_THING = 0.5  #: intersection over union of masks that show the same, such as those of two annotators
HIDDEN = 0.9  #: share of a class under others


@dataclass(frozen=True)
class MaskLayers:
    """Masks of one class each.

    Attributes:
        masks: of each picture, by the index of the class, 255 if it is ignored, in the order in which they are drawn.
        classes: names.
        palette: RGB of each class.
        form: what the masks are, for a user.
        remarks: what a user should know.
    """

    masks: Mapping[File, tuple[tuple[int, Path], ...]]
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    form: str
    remarks: tuple[str, ...]

    def files_of(self, image: File) -> tuple[Path, ...]:
        """The masks of a picture."""
        return tuple(path for _, path in self.masks[image])

    def read(self, image: File) -> np.ndarray:
        """Class indices of a picture, uint8 (H, W)."""
        labels = None
        for index, path in self.masks[image]:
            shown = read_mask(path).colours() != 0
            labels = np.zeros(shown.shape, np.uint8) if labels is None else labels
            labels[shown] = index
        return labels


def read_layers(pairing: Pairing, classes: Sequence[str] | None, ignore: Sequence[object]) -> MaskLayers:
    """Take several masks of each picture for one class each, if they are.

    They have two values, of which 0 is not the class, and show different things. A class may be missing in a picture.
    Where they overlap, the later class counts, in the order of ``classes``, else of their names.

    Raises:
        ValueError: asking which masks are meant, if they are of another kind; for names that are not theirs.
    """
    ways = {name: way for name, way in zip(_names(pairing.ways), pairing.ways)}
    known = {name.casefold(): name for name in ways}
    hint = f"\n  or, if each has one class: --classes {' '.join(ways)} (the later one counts where they overlap)"
    explicit = classes is not None and known.keys() <= {str(name).strip().casefold() for name in classes}
    images = sorted({image for way in ways.values() for image in way.pairs}, key=lambda image: image.text)
    try:
        facts = take_census([(image.path, mask.path) for way in ways.values() for image, mask in way.pairs.items()])
    except ValueError as error:
        raise ValueError(f"{pairing.ambiguous()}{hint}\n({error})") from error
    numbered = len({re.sub(r"\d+(st|nd|rd|th)?", "", name.casefold()) for name in ways}) == 1
    if other := [mask for mask in facts if len(mask.counts) > 2 or len(mask.counts) == 2 and 0 not in mask.shown()]:
        values = f"{other[0].path.name} has {len(other[0].counts)} values, of which not one alone is not 0"
        raise ValueError(f"{pairing.ambiguous()}{hint}\n({values})")
    if numbered and not explicit:
        raise ValueError(pairing.ambiguous() + hint)
    order = _order(list(ways), classes, known, explicit)
    look = partial(_look_at, ways=[ways[name] for name in order])
    pixels = sum(in_threads(look, images, "Reading the masks of the classes"), _Pixels.none(len(order)))
    if not explicit and (pixels.likeness() >= SAME_THING or pixels.hidden() >= HIDDEN):
        raise ValueError(pairing.ambiguous() + hint)
    names = _final_names(order, classes, explicit)
    remarks = [f"each picture has masks of one class each: {summarize(names, 20)}; 0 is not the class"]
    if pixels.overlap:
        share = f"{pixels.overlap / pixels.all:.2%}"
        remarks.append(f"masks of classes overlap in {share} of the pixels, where the later class counts")
    ignored = _ignored(names, ignore)
    kept = [name for name in names if name not in ignored]
    if not any(name.casefold() == BACKGROUND for name in names) and pixels.uncovered:
        kept.insert(0, BACKGROUND)
    kept.sort(key=lambda name: name.casefold() != BACKGROUND)
    if not 2 <= len(kept) <= MAX_CLASSES:
        raise ValueError(f"the masks have {len(kept)} classes ({summarize(kept)}), a model needs 2 to {MAX_CLASSES}")
    index = {name: kept.index(name) if name in kept else IGNORED for name in names}
    masks = {
        image: tuple(
            (index[name], ways[old].pairs[image].path) for name, old in zip(names, order) if image in ways[old].pairs
        )
        for image in images
    }
    return MaskLayers(masks, tuple(kept), palette_of(kept, {}), "one mask per class", tuple(remarks))


@dataclass
class _Pixels:
    """Numbers of pixels: of each two masks together, seen in the end, in several masks, in none, and of all."""

    together: np.ndarray
    seen: np.ndarray
    overlap: int
    uncovered: int
    all: int

    @classmethod
    def none(cls, number: int) -> _Pixels:
        return cls(np.zeros((number, number)), np.zeros(number), 0, 0, 0)

    def __add__(self, other: _Pixels) -> _Pixels:
        mine, others = vars(self), vars(other)
        return _Pixels(**{name: mine[name] + others[name] for name in mine})

    def likeness(self) -> float:
        """The highest intersection over union of two masks."""
        areas = np.diag(self.together)
        union = areas[:, None] + areas - self.together
        return float((np.triu(self.together, 1) / np.maximum(union, 1)).max())

    def hidden(self) -> float:
        """The highest share of a mask that lies under others."""
        areas = np.diag(self.together)
        return float((1 - self.seen / np.maximum(areas, 1))[areas > 0].max(initial=0))


def _look_at(image: File, ways: Sequence[Way]) -> _Pixels:
    masks = {
        index: read_mask(way.pairs[image].path).colours() != 0 for index, way in enumerate(ways) if image in way.pairs
    }
    stack = np.stack([mask.ravel() for mask in masks.values()])
    places = list(masks)
    found = _Pixels.none(len(ways))
    numbers = stack.astype(np.float32)
    found.together[np.ix_(places, places)] = numbers @ numbers.T
    number = stack.sum(axis=0)
    last = len(places) - 1 - stack[::-1].argmax(axis=0)
    found.seen[places] = np.bincount(last[number > 0], minlength=len(places))
    found.overlap, found.uncovered, found.all = int((number > 1).sum()), int((number == 0).sum()), number.size
    return found


def _names(ways: Iterable[Way]) -> list[str]:
    """What the patterns of masks have of their own: ``car`` of ``{}_car_mask``."""
    words = [re.findall(rf"[^{SEPARATORS}]+", way.rules[0].mask.replace("{}", "/")) for way in ways]
    while all(len(one) > 1 for one in words) and len({one[0] for one in words}) == 1:
        words = [one[1:] for one in words]
    while all(len(one) > 1 for one in words) and len({one[-1] for one in words}) == 1:
        words = [one[:-1] for one in words]
    return ["_".join(one) or "mask" for one in words]


def _order(names: list[str], classes: Sequence[str] | None, known: Mapping[str, str], explicit: bool) -> list[str]:
    """Names of the masks in the order in which they are drawn."""
    if explicit:
        return [known[name] for name in (str(one).strip().casefold() for one in classes) if name in known]
    if classes is not None and len(classes) not in (len(names), len(names) + 1):
        raise ValueError(
            f"--classes has {len(classes)} names ({summarize(list(classes), 20)}), but there are masks of {len(names)}"
            f" classes: {summarize(names, 20)}"
        )
    return sorted(names, key=lambda name: (name.casefold() != BACKGROUND, name))


def _final_names(order: list[str], classes: Sequence[str] | None, explicit: bool) -> list[str]:
    if classes is None:
        return order
    names = [str(name).strip() for name in classes]
    if explicit:
        return [name for name in names if name.casefold() in {one.casefold() for one in order}]
    return names[len(names) - len(order) :]


def _ignored(names: list[str], ignore: Sequence[object]) -> set[str]:
    found = set()
    for entry in ignore:
        matching = [name for name in names if name.casefold() == str(entry).strip().casefold()]
        if not matching:
            raise ValueError(
                f"--ignore {entry} is no class{nearest(str(entry), names)}: the classes are {summarize(names, 20)}"
            )
        found.update(matching)
    return found
