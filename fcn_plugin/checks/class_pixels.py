"""Labelled pixels by class: the table of a run's data, and what it shows to be wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..utils.text import summarize
from .census import Census

MAX_IGNORED = 0.3  #: share of ignored pixels from which on to warn


class ClassPixels:
    """The labels of one split of the data.

    Args:
        split (str): ``train``, ``val`` or ``test``.
        classes (Sequence[str]): names of the classes.
        ignore_index (int): the index of pixels to ignore.
        parts (Sequence[Census]): of the data sets that make it up.
    """

    def __init__(self, split: str, classes: Sequence[str], ignore_index: int, parts: Sequence[Census]) -> None:
        self.split, self.classes, self.ignore_index = split, list(classes), ignore_index
        self.labels = sum(part.labels for part in parts)
        self.complete = self.labels == sum(part.samples for part in parts)
        self.pixels = sum((part.pixels for part in parts), Counter())
        self.pictures = sum((part.pictures for part in parts), Counter())

    @property
    def labelled(self) -> int:
        """Pixels that have a class."""
        return sum(count for index, count in self.pixels.items() if self._is_class(index))

    @property
    def ignored(self) -> float:
        """Share of the ignored pixels among all."""
        return self.pixels[self.ignore_index] / max(1, self.pixels.total())

    @property
    def missing(self) -> list[str]:
        """Classes without a pixel; one that is ignored needs none."""
        return [name for index, name in enumerate(self.classes) if self._is_class(index) and not self.pixels[index]]

    def _is_class(self, index: int) -> bool:
        return 0 <= index < len(self.classes) and index != self.ignore_index

    def error(self) -> str | None:
        """Why these labels do not do, in training each class; None if some of them could not be read."""
        if not self.labels or not self.complete:
            return None
        if not self.labelled:
            what = f"no labelled pixel in {self.labels} labels of {self.split}"
            return f"{what}: all are {self.ignore_index}, the ignored index"
        if not self.missing or self.split != "train":
            return None
        if self.ignored and len(found := [index for index in self.pixels if self._is_class(index)]) == 1:
            foreground = self.missing[0]
            return (
                f"only {self.classes[found[0]]} has labelled pixels; {self.ignored:.1%} of all are {self.ignore_index},"
                f" the ignored index: if that is meant as {foreground}, as in masks of 0 and 255, save it as"
                f" {self.classes.index(foreground)}"
            )
        number = f"{len(self.missing)} of {len(self.classes)} classes have"
        return f"{number} no labelled pixel in {self.labels} labels: {summarize(self.missing, 20)}"

    def warnings(self) -> list[str]:
        """What may be right."""
        found = []
        if len(self.classes) == 1 and self.split == "train":
            found.append(f"{self.classes[0]} is the only class: there is nothing to tell it from")
        if self.complete and self.labelled and self.split != "train" and self.missing:
            found.append(f"{self.split} has no labelled pixel of {summarize(self.missing, 20)}")
        if self.ignored > MAX_IGNORED:
            found.append(f"{self.ignored:.1%} of the label pixels of {self.split} are ignored ({self.ignore_index})")
        return found

    def column(self) -> list[str]:
        """The column of the table, without its heading."""
        total = max(1, self.labelled)
        rows = [
            f"{self.pixels[index]:>14,} {self.pixels[index] / total:>7.2%} {self.pictures[index]:>9,}"
            for index in range(len(self.classes))
        ]
        ignored = self.pixels[self.ignore_index]
        return [*rows, f"{ignored:>14,} {self.ignored:>7.2%} {self.pictures[self.ignore_index]:>9,}"]


def table(splits: Sequence[ClassPixels]) -> str:
    """Splits of the same classes side by side: of each class its pixels, their share and the labels that have it."""
    names = [*splits[0].classes, "(ignored, of all pixels)"]
    width = max(map(len, names))
    lines = [f"{'labelled pixels':{width}}", " " * width, *(f"{name:{width}}" for name in names)]
    for split in splits:
        heading = f"{split.split}, {split.labels:,} labels"
        column = [f"{heading:>32}", f"{'pixels':>14} {'share':>7} {'labels':>9}", *split.column()]
        lines = [f"{line}  {cell}" for line, cell in zip(lines, column)]
    return "\n".join(line.rstrip() for line in lines)


def summary(split: ClassPixels) -> str:
    """One line on a split."""
    missing = f", none of {summarize(split.missing, 20)}" if split.missing else ""
    return f"{split.split}: {split.labels:,} labels, {split.ignored:.1%} of the pixels ignored{missing}"
