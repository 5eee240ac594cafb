"""The rules for names that pair pictures and masks best, and other ways to pair the same pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median

from ...utils.text import summarize
from .pairing_files import File
from .pairing_rules import Match, Rule, guess_rules, has_pattern, match

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

    def option(self) -> str:
        """How to ask for it."""
        joined = Rule(*(_joined([getattr(rule, side) for rule in self.rules]) for side in ("image", "mask")))
        if match(joined, [*self.pairs], [*self.pairs.values()]).pairs == self.pairs:
            return f'--pair "{joined}"'
        return " or ".join(f'--pair "{rule}"' for rule in self.rules)


def _joined(patterns: Sequence[str]) -> str:
    """Patterns as one, with ``*`` for where they differ."""
    if len(set(patterns)) == 1:
        return patterns[0]
    start = os.path.commonprefix(patterns)
    end = os.path.commonprefix([pattern[len(start) :][::-1] for pattern in patterns])[::-1]
    return f"{start}*{end}"


def find_ways(
    images: list[File], masks: list[File], values_in: Callable[[Path], int] | None
) -> tuple[list[Way], list[tuple[File, File]]]:
    """What pairs files best, and other ways to pair the same pictures; and pairs whose numbers differ in zeros."""
    found = [found for found in _matches(images, masks) if _is_likely(found, images, masks)]
    if values_in is not None:
        found = _with_masks_second(found, values_in)
    if not found:
        return [], []
    best = max(found, key=_rank)
    check_conflicts(best)
    ways = [Way([best.rule], dict(best.pairs))]
    if not best.rule.exact:
        ways += _other_ways(best, sorted(found, key=_rank, reverse=True))
    by_value = best.by_value + _add_further(ways, images, masks)
    return sorted(ways, key=str), by_value


def _other_ways(best: Match, found: Sequence[Match]) -> list[Way]:
    """Other masks for most of the pictures of the best rule, or for some of them if these are called alike.

    Raises:
        ValueError: if there are other pictures for its masks.
    """
    ways, seldom = [], {}
    covered, used = set(best.pairs), set(best.pairs.values())
    for other in found:
        if other.rule.doubtful > best.rule.doubtful or "*" in str(other.rule) and "*" not in str(best.rule):
            continue
        if _has_other_pictures(other, best):
            what = f"masks such as {next(iter(best.pairs.values())).path} have several pictures each"
            pair = [Way([one.rule], one.pairs) for one in (best, other)]
            raise ValueError(question_of(what, sorted(pair, key=str)))
        free = {image: mask for image, mask in other.pairs.items() if mask not in used}
        pairs = {image: mask for image, mask in free.items() if not has_pattern(mask, best.rule.mask)}  # else another's
        shared, alike = len(covered & pairs.keys()), other.rule.image == best.rule.image
        way = Way([other.rule], pairs)
        if not alike and shared > 1:  # pictures may be called in several ways beside the same masks
            way = seldom.setdefault(other.rule.mask, Way([], {}))
            if not way.pairs.keys() & pairs.keys():
                way.rules.append(other.rule)
                way.pairs.update(pairs)
            shared = len(covered & way.pairs.keys())
        if shared and shared >= (SOME_PICTURES * len(pairs) if alike else SAME_PICTURES * len(best.pairs)):
            ways.append(way)
            covered |= way.pairs.keys()
            used |= set(way.pairs.values())
    return ways


def _add_further(ways: list[Way], images: Sequence[File], masks: Sequence[File]) -> list[tuple[File, File]]:
    """Pair what is left by further rules, which are added to the first way; pairs whose numbers differ in zeros."""
    used = {file for way in ways for pair in way.pairs.items() for file in pair}
    first, by_value = ways[0], []
    while True:
        images, masks = ([file for file in files if file not in used] for files in (images, masks))
        further = [
            one
            for one in (_matches(images, masks) if images and masks else [])
            if one.pairs and not one.conflicts and (one.rule.exact or _is_further(one, first.rules[0]))
        ]
        if not further:
            return by_value
        more = max(further, key=_rank)
        first.rules.append(more.rule)
        first.pairs.update(more.pairs)
        by_value += more.by_value
        used.update(*more.pairs.items())


def _has_other_pictures(other: Match, best: Match) -> bool:
    """Whether a rule finds for the masks other pictures, which are not called as those of the best rule."""
    images = {mask: image for image, mask in best.pairs.items()}
    moved = [image for image, mask in other.pairs.items() if mask in images and image not in best.pairs]
    moved = [image for image in moved if not has_pattern(image, best.rule.image)]
    return bool(moved) and len(moved) >= SAME_PICTURES * len(best.pairs)


def question_of(what: str, ways: Sequence[Way]) -> str:
    """What to say where files may be paired in several ways."""
    lines = [f"{what}: say which with --pair"]
    for way in ways:
        image, mask = next(iter(way.pairs.items()))
        lines.append(f"  {way.option()}: {len(way.pairs)} pairs such as {image.path.name} and {mask.path.name}")
    return "\n".join(lines)


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


def _is_further(found: Match, first: Rule) -> bool:
    """Whether a rule is like the first one but for the pattern of pictures, or of masks."""
    rule = found.rule
    return len(found.pairs) > 1 and not rule.doubtful and (rule.image == first.image or rule.mask == first.mask)


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


def check_conflicts(found: Match) -> None:
    """Check that a rule pairs one to one.

    Raises:
        ValueError: naming files of which several belong together.
    """
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
