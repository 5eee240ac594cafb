"""Pictures and their masks, paired by their names however they are called."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ...utils.text import summarize
from .pairing_files import File, list_both
from .pairing_rules import Rule, match, words_of
from .pairing_ways import Way, check_conflicts, find_ways, question_of

#: Words of masks that are made from others, which are taken if there are others.
DERIVED = frozenset(
    "color colour colors rgb vis viz overlay preview instance instances instanceids instancetrainids".split()
    + ["labeltrainids"]
)


@dataclass
class Pairing:
    """Pictures and their masks.

    Attributes:
        ways: what pairs them; several if pictures have several masks.
        remarks: how they were paired, and what has no partner.
        images: the folder of the pictures.
        masks: the folder of the masks.
    """

    ways: list[Way]
    remarks: list[str]
    images: Path
    masks: Path

    def ambiguous(self) -> str:
        """What to say where pictures have several masks."""
        return question_of(f"pictures of {self.images} have several masks each in {self.masks}", self.ways)


def pair_files(
    images: Path, masks: Path, pair: str | None = None, values_in: Callable[[Path], int] | None = None
) -> Pairing:
    """Pair the pictures of a folder with the masks of a folder, which may be the same one or lie in the other.

    A rule for the names (:class:`Rule`) is guessed from names that are alike, and tried on all of them: the one that
    pairs most, one to one, is taken; names that are the same are preferred. What is left is paired by further rules of
    the same kind. Order alone pairs nothing.

    Args:
        images (Path): folder of the pictures; its folders are searched as well.
        masks (Path): folder of the masks, in the same way.
        pair (str, optional): the rule, as in :class:`Rule`.
        values_in (Callable, optional): number of different values in a picture, to know pictures from masks in the
            same folder; masks have fewer.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if nothing pairs, pairs are not one to one, or ``pair`` is no rule.
    """
    rule = Rule.parse(pair) if pair is not None else None
    image_files, mask_files, remarks = list_both(images, masks)
    same = os.path.samefile(images, masks)
    if rule is not None:
        found = match(rule, image_files, mask_files)
        if not (found.pairs or found.conflicts):  # the pattern of a name alone, in any folder
            found = match(
                Rule(*(part if "/" in part else f"*/{part}" for part in (rule.image, rule.mask))),
                image_files,
                mask_files,
            )
        check_conflicts(found)
        ways, by_value = [Way([rule], found.pairs)] if found.pairs else [], found.by_value
    else:
        ways, by_value = find_ways(image_files, mask_files, values_in if same else None)
    if not ways:
        raise ValueError(_nothing(images, image_files, masks, mask_files, rule))
    ways, derived = _without_derived(ways)
    number = len(set(chain.from_iterable(way.pairs for way in ways)))
    rules = [rule for way in ways for rule in way.rules]
    how = "the same" if len(rules) == 1 and rules[0].exact else summarize([str(rule) for rule in rules])
    remarks.insert(0, f"{number} pictures and masks were paired by their names: {how} (another rule: --pair)")
    if derived:
        remarks.append(
            f"masks that show the same in another way were passed over: {summarize(list(map(str, derived)))}"
        )
    if by_value:
        names = [f"{image.path.name} and {mask.path.name}" for image, mask in by_value]
        remarks.append(f"numbers are written with other zeros in front: {summarize(names)}")
    remarks += _left_over(image_files, mask_files, [*ways, *derived], same)
    return Pairing(ways, remarks, images, masks)


def _without_derived(ways: list[Way]) -> tuple[list[Way], list[Way]]:
    """Ways, and those among them that only show the same in another way, such as in colours."""
    derived = [way for way in ways if any(not DERIVED.isdisjoint(words_of(rule.mask)) for rule in way.rules)]
    return ([way for way in ways if way not in derived], derived) if len(derived) < len(ways) else (ways, [])


def _nothing(images: Path, image_files: list[File], masks: Path, mask_files: list[File], rule: Rule | None) -> str:
    shown = [" and ".join(file.text + file.path.suffix for file in files[:2]) for files in (image_files, mask_files)]
    what = f'--pair "{rule}"' if rule else "the names"
    return (
        f"no picture of {images} has a mask in {masks} by {what}: pictures are called {shown[0]}, masks {shown[1]}."
        ' Say how they belong together with --pair, such as --pair "{}_training={}_manual1"'
    )


def _left_over(images: list[File], masks: list[File], ways: list[Way], same: bool) -> list[str]:
    """What has no partner."""
    used = {file for way in ways for pair in way.pairs.items() for file in pair}
    sides = (
        [(images, "files without a partner")]
        if same
        else [(images, "pictures without a mask"), (masks, "masks without a picture")]
    )
    remarks = []
    for files, what in sides:
        if left := [file.text + file.path.suffix for file in files if file not in used]:
            remarks.append(f"{len(left)} {what}: {summarize(left)}")
    return remarks
