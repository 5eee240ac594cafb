"""How names of pictures and of their masks belong together: patterns, and the search for them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import lru_cache
from heapq import nlargest

from .pairing_files import File

SEPARATORS = r"\s_\-./\\,;:+()\[\]#@&'!~%^$="
WORD = re.compile(rf"\d+|[^\d{SEPARATORS}]+")
SAMPLES = 40  #: names of each side from which rules are guessed
PARTNERS = 64  #: most similar names of the other side that are compared with each of them: one mask per class has many
RULES = 120  #: guesses that are tried on all names, the most frequent ones


@dataclass(frozen=True)
class Rule:
    """Patterns of the names of pictures and of masks, in the syntax of ``--pair``: ``{}_training={}_manual1``.

    ``{}`` stands for what both names share, ``*`` for anything. A pattern is that of a path below its folder, without
    suffix, or with it. The words in all ``{}`` of a name together must be those of its partner's, in any case and with
    any separators; numbers are compared whole.
    """

    image: str
    mask: str

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read ``IMAGE=MASK``, or ``MASK`` alone if pictures have the shared part as their name.

        Raises:
            ValueError: for another text.
        """
        parts = unicodedata.normalize("NFC", text).split("=")
        image, mask = parts if len(parts) == 2 else ("{}", parts[0])
        if len(parts) > 2 or "{}" not in image or "{}" not in mask:
            raise ValueError(
                f"--pair must be patterns of the names of pictures and masks with {{}} for what both share, such as"
                f" {{}}_training={{}}_manual1, got {text!r}"
            )
        return cls(image, mask)

    def __str__(self) -> str:
        return f"{self.image}={self.mask}"

    @property
    def exact(self) -> bool:
        """Whether the names are the same."""
        return self.image == self.mask == "{}"

    @property
    def doubtful(self) -> bool:
        """Whether it says that a number of a name is no part of what is shared: ``{}_1={}_2_mask``."""
        pieces = re.split(rf"[{SEPARATORS}*\0]+", f"{self.image}/{self.mask}".replace("{}", "\0"))
        return any(piece.isdigit() for piece in pieces)


@dataclass
class Match:
    """What a rule pairs.

    Attributes:
        rule: that it is.
        pairs: the mask of each picture.
        conflicts: pictures and masks of which several belong together.
        by_value: pairs whose numbers are written with other zeros in front.
    """

    rule: Rule
    pairs: dict[File, File] = field(default_factory=dict)
    conflicts: list[tuple[list[File], list[File]]] = field(default_factory=list)
    by_value: list[tuple[File, File]] = field(default_factory=list)


def words_of(text: str) -> tuple[str, ...]:
    """Numbers and what stands between them and separators, for comparison: without case, in order."""
    return tuple(WORD.findall(unicodedata.normalize("NFC", text.casefold())))


def has_pattern(file: File, pattern: str) -> bool:
    """Whether a file is called by a pattern."""
    return bool(_shared_parts(pattern, [file]))


def match(rule: Rule, images: Sequence[File], masks: Sequence[File]) -> Match:
    """Pair files one to one: those with the same shared text first, then the same words, then the same numbers."""
    found = Match(rule)
    sides = [_shared_parts(rule.image, images), _shared_parts(rule.mask, masks)]
    for key in ("/".join, _words, _values):
        groups = [defaultdict(list) for _ in sides]
        for side, group in zip(sides, groups):
            for file, parts in side.items():
                group[key(parts)].append(file)
        if key is _values and any(len(files) > 1 for group in groups for files in group.values()):
            break  # a side with 1 and 01: they are different names
        for shared in groups[0].keys() & groups[1].keys():
            of_image, of_mask = groups[0][shared], groups[1][shared]
            if len(of_image) == len(of_mask) == 1:
                if of_image[0] == of_mask[0]:
                    continue  # of the same folder
                found.pairs[of_image[0]] = of_mask[0]
                if key is _values:
                    found.by_value.append((of_image[0], of_mask[0]))
            else:
                found.conflicts.append((of_image, of_mask))
            for side, files in zip(sides, (of_image, of_mask)):
                for file in files:
                    del side[file]
    found.pairs = dict(sorted(found.pairs.items(), key=lambda pair: pair[0].text))
    return found


def _words(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for part in parts for word in words_of(part))


def _values(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.lstrip("0") or "0" if word.isdigit() else word for word in _words(parts))


def _shared_parts(pattern: str, files: Iterable[File]) -> dict[File, tuple[str, ...]]:
    regex, parts = _regex(pattern), {}
    for file in files:
        if found := regex.fullmatch(file.text) or regex.fullmatch(file.text + file.path.suffix):
            parts[file] = found.groups()
    return parts


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> re.Pattern:
    text, before = "", ""
    parts = re.split(r"(\{\}|\*)", pattern)
    for index, part in enumerate(parts):
        if part == "{}":
            after = parts[index + 1] if index + 1 < len(parts) else ""
            start = r"(?!\d)" if before[-1:].isdigit() else ""  # numbers are not cut
            text += start + "(.+?)" + (r"(?<!\d)" if after[:1].isdigit() else "")
        else:
            text += ".*" if part == "*" else re.escape(part)
        before = part
    return re.compile(text, re.IGNORECASE | re.DOTALL)


def guess_rules(images: Sequence[File], masks: Sequence[File]) -> list[Rule]:
    """Rules that pair some of the names with similar ones, the most frequent first."""
    found: Counter[Rule] = Counter()
    suffixes = sorted({file.path.suffix for file in masks})
    same = not set(images).isdisjoint(masks)
    for one, other, swap in ((images, masks, False), (masks, images, True)):
        index = defaultdict(list)
        for file in other:
            for word in set(_values([file.text])):
                index[word].append(file)
        for file in one[:: max(1, len(one) // SAMPLES)]:
            likeness: Counter[File] = Counter()
            for word in sorted(set(_values([file.text]))):
                for partner in index[word]:
                    likeness[partner] += 1 / len(index[word])
            for partner in nlargest(PARTNERS, likeness, key=likeness.get):
                if partner != file and not set("{}*=") & set(file.text + partner.text):
                    first, second = (partner, file) if swap else (file, partner)
                    found.update(_rules_of(first, second, same))
    if not found:
        found.update(_glued_rules(images, masks))
    rules = sorted(found, key=lambda rule: (-found[rule], str(rule)))[:RULES]
    return [Rule("{}", "{}"), *(Rule("{}", "{}" + suffix) for suffix in suffixes if len(suffixes) > 1), *rules]


def _rules_of(image: File, mask: File, same: bool) -> set[Rule]:
    """Rules by which two files are a pair; in the same folder, their suffixes may tell which is which."""
    if image.text == mask.text:
        return {Rule("{}" + image.path.suffix, "{}" + mask.path.suffix)} if same else set()
    spans = [_spans(file.text) for file in (image, mask)]
    words = [[_values([file.text[start:end]]) for start, end in part] for file, part in zip((image, mask), spans)]
    blocks = SequenceMatcher(None, *words, autojunk=False).get_matching_blocks()[:-1]
    if not blocks:
        return set()
    patterns = []
    for side, file in enumerate((image, mask)):
        starts = [(block.a, block.b)[side] for block in blocks]
        holes = [
            (spans[side][start][0], spans[side][start + block.size - 1][1]) for start, block in zip(starts, blocks)
        ]
        patterns.append(_pattern(file.text, holes))
    return {Rule(image, mask) for image in _with_any_folder(patterns[0]) for mask in _with_any_folder(patterns[1])}


def _glued_rules(images: Sequence[File], masks: Sequence[File]) -> list[Rule]:
    """Rules of masks that are called as a picture with letters before or behind: ``catmask``."""
    names = {file.text.casefold() for file in images[:: max(1, len(images) // SAMPLES)]}
    names = sorted(name for name in names if name[0].isalpha() and name[-1].isalpha())
    texts = [file.text.casefold() for file in masks]
    return [Rule("{}", text.replace(name, "{}", 1)) for name in names for text in texts if name in text != name]


def _spans(text: str) -> list[tuple[int, int]]:
    """Places of the words of a text, also of those that begin with a capital inside: leftImg."""
    spans = []
    for found in WORD.finditer(text):
        start, end = found.span()
        inside = [at for at in range(start + 1, end) if text[at - 1].islower() and text[at].isupper()]
        spans += zip([start, *inside], [*inside, end])
    return spans


def _pattern(text: str, holes: Sequence[tuple[int, int]]) -> str:
    pattern, end = "", 0
    for start, stop in holes:
        between = text[end:start]
        if not (pattern and not WORD.search(between)):  # else it goes on
            pattern += between + "{}"
        end = stop
    return pattern + text[end:]


def _with_any_folder(pattern: str) -> set[str]:
    """A pattern, and the same in any folder if it begins with one."""
    folder = re.match(r"[^{}*]*/", pattern)
    return {pattern, "*/" + pattern[folder.end() :]} if folder else {pattern}
