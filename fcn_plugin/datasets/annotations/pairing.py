"""Pictures and their masks, paired by their names however they are called."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from statistics import median

from ...utils.text import summarize
from .pairing_files import File, list_both
from .pairing_rules import Match, Rule, guess_rules, has_pattern, match, words_of

#: Words of masks that are made from others, which are taken if there are others.
DERIVED = frozenset(
    "color colour colors rgb vis viz overlay preview instance instances instanceids instancetrainids".split()
    + ["labeltrainids"]
)
EXACT_BONUS, DOUBTFUL_MALUS, ANY_FOLDER_MALUS = 2.0, 0.5, 0.99  #: of the number of pairs, to choose a rule
SAME_PICTURES = 0.8  #: share of the pictures that another way pairs as well, to be one
SOME_PICTURES = 0.2  #: the same if it calls pictures alike


@dataclass
class Way:
    """One mask for each picture.

    Attributes:
        rules: that pair them, for files that are named in several ways.
        pairs: the mask of each picture.
    """

    rules: list[Rule]
    pairs: dict[File, File]

    def __str__(self) -> str:
        return " and ".join(map(str, self.rules))


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
        picture = next(
            (file for file in self.ways[0].pairs if file in self.ways[1].pairs), next(iter(self.ways[0].pairs))
        )
        lines = [f"pictures of {self.images} have several masks each in {self.masks}: say which with --pair"]
        for way in self.ways:
            image, mask = (picture, way.pairs[picture]) if picture in way.pairs else next(iter(way.pairs.items()))
            options = " or ".join(f'--pair "{rule}"' for rule in way.rules)
            lines.append(f"  {options}: {len(way.pairs)} pairs such as {image.path.name} and {mask.path.name}")
        return "\n".join(lines)


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
        _check_conflicts(found)
        ways, by_value = [Way([rule], found.pairs)] if found.pairs else [], found.by_value
    else:
        ways, by_value = _find_ways(image_files, mask_files, values_in if same else None)
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


def _find_ways(
    images: list[File], masks: list[File], values_in: Callable[[Path], int] | None
) -> tuple[list[Way], list[tuple[File, File]]]:
    """What pairs files best, and other ways to pair the same pictures; and pairs whose numbers differ in zeros."""
    found = [found for found in _matches(images, masks) if _is_likely(found, images, masks)]
    if values_in is not None:
        found = _with_masks_second(found, values_in)
    if not found:
        return [], []
    best = max(found, key=_rank)
    _check_conflicts(best)
    ways, covered, used = [Way([best.rule], dict(best.pairs))], set(best.pairs), set(best.pairs.values())
    by_value = best.by_value
    for other in [] if best.rule.exact else sorted(found, key=_rank, reverse=True):
        if other.rule.doubtful > best.rule.doubtful or "*" in other.rule.mask:
            continue
        free = {image: mask for image, mask in other.pairs.items() if mask not in used}
        pairs = {image: mask for image, mask in free.items() if not has_pattern(mask, best.rule.mask)}  # else another's
        shared, alike = len(covered & pairs.keys()), other.rule.image == best.rule.image
        least = SOME_PICTURES * len(pairs) if alike else SAME_PICTURES * len(best.pairs)
        if shared and shared >= least:
            ways.append(Way([other.rule], pairs))
            covered |= pairs.keys()
            used |= set(pairs.values())
    rest = [file for file in images if file not in covered and file not in used]
    rest_masks = [file for file in masks if file not in used and file not in covered]
    while rest and rest_masks:  # named in another way
        further = [
            one
            for one in _matches(rest, rest_masks)
            if one.rule.exact or len(one.pairs) > 1 and not one.rule.doubtful and _is_related(one.rule, best.rule)
        ]
        further = [one for one in further if one.pairs and not one.conflicts]
        if not further:
            break
        more = max(further, key=_rank)
        ways[0].rules.append(more.rule)
        ways[0].pairs.update(more.pairs)
        by_value = by_value + more.by_value
        rest = [file for file in rest if file not in more.pairs]
        rest_masks = [file for file in rest_masks if file not in more.pairs.values()]
    return sorted(ways, key=str), by_value


def _matches(images: Sequence[File], masks: Sequence[File]) -> list[Match]:
    """What each guessed rule pairs; rules that pair the same once."""
    found: dict[frozenset, Match] = {}
    for rule in guess_rules(images, masks):
        one = match(rule, images, masks)
        if (one.pairs or one.conflicts) and not (one.conflicts and "*" in f"{rule}"):
            pairs = frozenset(one.pairs.items()) or frozenset([rule])
            if pairs not in found or _rank(one) > _rank(found[pairs]):
                found[pairs] = one
    return list(found.values())


def _rank(found: Match) -> tuple:
    """What makes a rule better than another, best last."""
    rule = found.rule
    bonus = EXACT_BONUS if rule.exact else 1.0
    bonus *= DOUBTFUL_MALUS if rule.doubtful else 1.0
    bonus *= ANY_FOLDER_MALUS if "*" in str(rule) else 1.0
    return bonus * len(found.pairs), len(found.conflicts), -len(str(rule)), str(rule)


def _is_likely(found: Match, images: Sequence[File], masks: Sequence[File]) -> bool:
    """Whether pairs of a rule are not by chance: one pair needs names of which one has all of the other's."""
    if found.conflicts and not found.pairs:
        return found.rule.exact
    smaller = min(len(images), len(masks))
    if found.rule.doubtful:
        return len(found.pairs) > 1 and 2 * len(found.pairs) >= smaller
    return len(found.pairs) > 1 or smaller == 1 or "{}" in (found.rule.image, found.rule.mask)


def _is_related(rule: Rule, other: Rule) -> bool:
    return rule.image == other.image or rule.mask == other.mask


def _with_masks_second(found: list[Match], values_in: Callable[[Path], int]) -> list[Match]:
    """Of matches in one folder, those in which the pattern of pictures is that of files with the most values."""
    if not found:
        return []
    most = max(len(one.pairs) for one in found)
    count = lru_cache(maxsize=None)(lambda file: values_in(file.path))
    values = []
    for one in found:
        files = [*one.pairs]
        some = files[:: max(1, len(files) // 3)][:3]
        values.append(median(map(count, some)) if 2 * len(files) >= most and files else 0)
    pictures = found[values.index(max(values))].pairs.keys()
    return [one for one in found if 2 * len(pictures & one.pairs.keys()) > len(one.pairs)]


def _without_derived(ways: list[Way]) -> tuple[list[Way], list[Way]]:
    """Ways, and those among them that only show the same in another way, such as in colours."""
    derived = [way for way in ways if any(not DERIVED.isdisjoint(words_of(rule.mask)) for rule in way.rules)]
    return ([way for way in ways if way not in derived], derived) if len(derived) < len(ways) else (ways, [])


def _check_conflicts(found: Match) -> None:
    if not found.conflicts:
        return
    images, masks = found.conflicts[0]
    names = [summarize([file.path.name for file in files]) for files in (images, masks)]
    number = f"{len(found.conflicts)} groups of files, such as" if len(found.conflicts) > 1 else "Files,"
    of_mask, of_image = (file[0].path.suffix for file in (masks, images))
    example = f"{{}}={{}}{of_mask}" if len(masks) > 1 else f"{{}}{of_image}={{}}"
    raise ValueError(
        f"several files belong together by their names ({found.rule}). {number} pictures {names[0]} and masks"
        f' {names[1]}: move what does not belong there, or say which with --pair, such as --pair "{example}"'
    )


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
