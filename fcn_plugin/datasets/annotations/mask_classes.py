"""From the values of masks to classes: their indices, names and colours, and what is ignored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...utils.text import nearest, summarize
from .mask_census import Census
from .mask_names import KnownNames
from .mask_values import describe, main_values
from .palette import palette_of

IGNORED = 255
MAX_CLASSES = 255
GREY_LEVELS = 16  #: apart at least, values of 0 to 255 are shades chosen to be seen, in which white is a class
BINARY = ("background", "foreground")
BLACK_AND_WHITE = {"background": (0, 0, 0), "foreground": (255, 255, 255)}


@dataclass(frozen=True)
class MaskClasses:
    """What the values of masks mean.

    Attributes:
        census: of the masks.
        codes: values that occur, int32 (n,), in order.
        indices: the class of each, uint8 (n,), 255 where ignored.
        classes: names.
        palette: RGB of each class.
        form: what the masks are, for a user.
        remarks: what a user should know.
    """

    census: Census
    codes: np.ndarray
    indices: np.ndarray
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    form: str
    remarks: tuple[str, ...]

    def read(self, path: Path) -> np.ndarray:
        """Class indices of a mask, uint8 (H, W).

        Raises:
            ValueError: if it cannot be read, or has changed.
        """
        codes = self.census.codes_of(path)
        places = np.searchsorted(self.codes, codes).clip(max=len(self.codes) - 1)
        if not np.array_equal(self.codes[places], codes):
            raise ValueError(f"the mask {path} has changed since all masks were read: start again")
        return self.indices[places]


def classes_of(
    census: Census, classes: Sequence[str] | None, ignore: Sequence[object], known: Sequence[KnownNames] = ()
) -> MaskClasses:
    """Find the classes of masks.

    Args:
        census (Census): of all masks.
        classes (Sequence[str], optional): names in the order of the values.
        ignore (Sequence): names, values or colours (``#rrggbb`` or ``r,g,b``) that become 255.
        known (Sequence[KnownNames]): names that are used without ``classes``; the first that fit.

    Raises:
        ValueError: for other numbers of classes than 2 to 255 or names, and for something to ignore that is not there.
    """
    mains, remarks = main_values(census)
    found = sorted(set(mains.values()))
    number = sum(census.counts.values())
    counts = {code: sum(census.counts[one] for one in mains if mains[one] == code) for code in found}
    if len(found) > MAX_CLASSES + 1:
        raise ValueError(
            f"the masks have {len(found)} {'colours' if census.in_colours else 'values'}, at most {MAX_CLASSES} classes"
            " are possible: if these are pictures, give the folder of their masks; instances are no classes"
        )
    listed = summarize([f"{describe(census, code)} ({counts[code] / number:.1%} of the pixels)" for code in found], 20)
    names_to_ignore, void = _parse_ignored(census, ignore, found, listed)
    automatic, texts = _usual_void(census, [code for code in found if code not in void], classes)
    void |= automatic
    remarks += texts
    kept = [code for code in found if code not in void]
    if classes is None:
        names, texts = _names(kept, known, census)
        remarks += texts
    else:
        names = _check_names(kept, classes, listed, void, census)
    for name in names_to_ignore:
        matching = [index for index, known in enumerate(names) if known.casefold() == name.casefold()]
        if not matching:
            raise ValueError(
                f"--ignore {name} is no class{nearest(name, names)}: the classes are {summarize(names, 20)}"
            )
        void.add(kept.pop(matching[0]))
        del names[matching[0]]
    if len(kept) < 2:
        rest = f"; ignored: {', '.join(describe(census, code) for code in sorted(void))}" if void else ""
        raise ValueError(f"the masks have one class only, a model needs two or more: found {listed}{rest}")
    if len(kept) > MAX_CLASSES:
        raise ValueError(f"the masks have {len(kept)} classes, at most {MAX_CLASSES} are possible")
    index = {code: place for place, code in enumerate(kept)}
    codes = np.array(sorted(mains), np.int32)
    table = np.array([index.get(mains[int(code)], IGNORED) for code in codes], np.uint8)
    if kept != list(range(len(kept))) and not census.in_colours and len(kept) > 2:
        moved = [f"{code} became {place}" for place, code in enumerate(kept) if place != code]
        remarks.append(f"values of the masks were numbered in order: {summarize(moved, 8)}")
    shown = {code: code for code in kept} if census.in_colours else census.palette
    if shown:
        texts = [f"{name} #{shown[code]:06x}" for name, code in zip(names, kept) if code in shown]
        remarks.append(f"colours of the masks: {summarize(texts, 30)}")
    if void:
        share = sum(counts[code] for code in void) / number
        texts = [describe(census, code) for code in sorted(void)]
        remarks.append(f"ignored values of the masks: {summarize(texts)} ({share:.1%} of the pixels)")
    colours = {name: _rgb(shown[code]) for name, code in zip(names, kept) if code in shown}
    palette = palette_of(names, colours or (BLACK_AND_WHITE if tuple(names) == BINARY else {}))
    return MaskClasses(census, codes, table, tuple(names), palette, _form(census, kept, void), tuple(remarks))


def _usual_void(census: Census, found: list[int], classes: Sequence[str] | None) -> tuple[set[int], list[str]]:
    """Values that stand for pixels to ignore by custom, and remarks: 255 beside indices, as in PASCAL VOC."""
    usual = [] if census.in_colours else [code for code in found if code < 0 or code in (255, 65535)]
    rest = [code for code in found if code not in usual]
    if not usual:
        return set(), []
    text = ", ".join(map(str, usual))
    how = f"to ignore {text}, --ignore {text.replace(',', '')}"
    if len(rest) < 2:  # a mask of two values
        return set(), [] if rest == [0] else [f"{text} is a class, as there is one other value; {how}"]
    if classes is not None and len(classes) in (len(found), len(rest)):
        return (set(usual) if len(classes) == len(rest) else set()), []
    if not census.is_palette and np.diff(found).min() >= GREY_LEVELS:
        return set(), [f"{text} is a class, as the values are shades of grey far from each other; {how}"]
    return set(usual), [
        f"{text} is ignored, as usual beside indices of classes; if it is a class, name all with --classes"
    ]


def _names(kept: list[int], known: Sequence[KnownNames], census: Census) -> tuple[list[str], list[str]]:
    """Names of classes for which the user has none, and remarks."""
    for one in known:
        by_colour = census.in_colours or bool(census.palette and one.colours)
        if names := one.of([census.palette.get(code, code) for code in kept] if by_colour else kept, by_colour):
            return names, [f"names of classes were read from {one.path}"]
    return list(BINARY) if len(kept) == 2 else [f"class_{index}" for index in range(len(kept))], []


def _check_names(kept: list[int], classes: Sequence[str], listed: str, void: set[int], census: Census) -> list[str]:
    """Names as the user gives them; of two classes, that of the second is enough."""
    names = [str(name).strip() for name in classes]
    if len({name.casefold() for name in names}) < len(names) or not all(names):
        raise ValueError(f"--classes must be different names, got {summarize(names, 20)}")
    if len(names) == 1 and len(kept) == 2 and names[0].casefold() != BINARY[0]:
        return [BINARY[0], *names]
    if len(names) != len(kept):
        rest = f", of which are ignored: {', '.join(describe(census, code) for code in sorted(void))}" if void else ""
        raise ValueError(
            f"--classes has {len(names)} names ({summarize(names, 20)}), but the masks have {len(kept)} classes: found"
            f" {listed}{rest}"
        )
    return names


def _parse_ignored(
    census: Census, ignore: Sequence[object], found: list[int], listed: str
) -> tuple[list[str], set[int]]:
    """Names of classes, and values, that are to be ignored."""
    names, codes = [], set()
    for entry in ignore:
        text = ",".join(map(str, entry)) if isinstance(entry, (tuple, list)) else str(entry).strip()
        if re.fullmatch(r"-?\d+", text) and not census.in_colours:
            wanted = {int(text)}
        elif (colour := parse_colour(text)) is not None:
            wanted = _codes_of_colour(census, colour)
        elif re.fullmatch(r"-?\d+", text):
            raise ValueError(f"--ignore {text}: these masks have colours, give one as #rrggbb: found {listed}")
        else:
            names.append(text)
            continue
        if not wanted & set(found) and wanted != {IGNORED}:
            raise ValueError(f"--ignore {text} does not occur in the masks: found {listed}")
        codes |= wanted & set(found)
    return names, codes


def parse_colour(text: str) -> int | None:
    """A colour as ``#rrggbb`` or ``r,g,b`` as 0xRRGGBB; None for another text."""
    if found := re.fullmatch(r"#([0-9a-fA-F]{6})", text):
        return int(found[1], 16)
    bands = re.fullmatch(r"[\[(]?\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*[\])]?", text)
    if bands and all(int(band) <= 255 for band in bands.groups()):
        red, green, blue = map(int, bands.groups())
        return red << 16 | green << 8 | blue
    return None


def _codes_of_colour(census: Census, colour: int) -> set[int]:
    if census.in_colours:
        return {colour}
    if census.palette:
        return {index for index, shown in census.palette.items() if shown == colour}
    return {colour & 255} if colour == (colour & 255) * 0x010101 else set()


def _rgb(code: int) -> tuple[int, int, int]:
    return code >> 16, code >> 8 & 255, code & 255


def _form(census: Census, kept: list[int], void: set[int]) -> str:
    if census.in_colours:
        return f"masks of {len(kept)} colours"
    kind = "palette masks" if census.is_palette else "masks"
    rest = f" and {', '.join(map(str, sorted(void)))}" if void else ""
    if len(kept) == 2 and not void:
        return f"{kind} of {kept[0]} and {kept[1]}"
    return f"{kind} of {len(kept)} indices from {kept[0]} to {kept[-1]}{rest}"
