"""Which of the classes of annotations are wanted, and their indices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...utils.text import nearest, summarize

BACKGROUND = "background"
BACKGROUNDS = {BACKGROUND, "_background_", "__background__"}  #: names of it, in small letters
IGNORED = 255  #: index of ignored pixels
UNLABELLED_CODE, IGNORED_CODE = -1, -2  #: in drawings, where other values are positions in the list of names
ALIKE = 0.6  #: how alike a misspelt name of a class and the right one are at least


def canonical(name: object) -> str:
    """The name of a class, by which the background has but one."""
    return BACKGROUND if str(name).strip().casefold() in BACKGROUNDS else str(name)


@dataclass(frozen=True)
class Selection:
    """Which classes are wanted.

    Attributes:
        wanted: classes in their order; None for all. Objects of others are background.
        ignored: classes whose pixels are ignored.
    """

    wanted: tuple[str, ...] | None
    ignored: tuple[str, ...]

    @classmethod
    def of(cls, classes: Sequence[str] | None, ignore: Sequence[str]) -> Selection:
        """Make one from names as a user gives them."""
        return cls(tuple(map(canonical, classes)) if classes else None, tuple(map(canonical, ignore)))

    def check(self, names: Sequence[str]) -> None:
        """Check that the annotations have the classes.

        Raises:
            ValueError: for names that they do not have, and those that are given twice.
        """
        known = dict.fromkeys([*names, BACKGROUND])
        for option, given in ("classes", self.wanted or ()), ("ignore", self.ignored):
            if unknown := [f"{name!r}{nearest(name, known, ALIKE)}" for name in given if name not in known]:
                have = summarize(list(known), 20)
                raise ValueError(f"{option}: there is no class {summarize(unknown)}; the annotations have {have}")
        counts = Counter((*(self.wanted or ()), *dict.fromkeys(self.ignored)))
        if twice := [name for name, count in counts.items() if count > 1]:
            raise ValueError(f"classes: {summarize(twice)} given twice, or ignored as well")

    def classes(self, names: Sequence[str], some_unlabelled: Callable[[], bool]) -> list[str]:
        """The classes by index.

        Args:
            names (Sequence[str]): that the annotations have, in order.
            some_unlabelled (Callable[[], bool]): tells whether a pixel is not labelled.

        Raises:
            ValueError: if there are more than 255.
        """
        rest = [name for name in dict.fromkeys(names) if name not in self.ignored]
        classes = list(self.wanted or rest)
        left_out = BACKGROUND in rest or set(rest).difference(classes)  # whose pixels are background
        if BACKGROUND not in self.ignored and not (self.wanted and BACKGROUND in classes):
            if left_out or some_unlabelled():
                classes = [BACKGROUND, *(name for name in classes if name != BACKGROUND)]
        if len(classes) > IGNORED:
            raise ValueError(
                f"{len(classes)} classes, where {IGNORED} fit into 8 bits: choose some of them with classes"
            )
        return classes

    def table(self, names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
        """Class index, uint8, for each position in a list of names and, from behind, for the codes of drawings."""
        index = {name: number for number, name in enumerate(classes)}
        background = index.get(BACKGROUND, IGNORED)
        of_names = [IGNORED if name in self.ignored else index.get(name, background) for name in names]
        codes = {IGNORED_CODE: IGNORED, UNLABELLED_CODE: background}
        return np.array([*of_names, *(codes[code] for code in sorted(codes))], np.uint8)
