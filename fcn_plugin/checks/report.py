"""All that is wrong, in one error."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from mmengine.logging import print_log

from ..utils.text import summarize
from .census import DEEP, Census
from .class_pixels import ClassPixels, summary, table
from .findings import Findings

MAX_NAMES = 20  #: files to name of each kind of problem
MAX_UNKNOWN = 0.5  #: share of unknown colours in labels that have some
#: Kinds of problems, in the order of the report.
KINDS = {
    "empty": "lists without a single image",
    "neither": "names in a list that have neither image nor label",
    "missing image": "missing images",
    "missing label": "missing labels",
    "unlabelled": "images of a data set without labels (data_prefix.seg_map_path)",
    "unreadable image": "images that cannot be read",
    "unreadable label": "labels that cannot be read",
    "damaged image": "damaged images, which are decoded to wrong pixels",
    "damaged label": "damaged labels, which are decoded to wrong pixels",
    "bands": "images with another number of bands than the model takes",
    "colours": "labels in colours that are not those of the palette",
    "palette": "palette labels with the colours of the classes at other indices (save them again in the order of the"
    " classes, or without a palette if the indices are right)",
    "size": "labels of another size than their image (width x height)",
    "index": "labels with indices that are neither a class nor the ignored index",
    "pixels": "labels without pixels of the classes",
}


class Report:
    """Collects errors, and raises them as one."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}  # each text once, in order
        self.warnings: set[str] = set()

    def warn(self, text: str) -> None:
        """Warn of what may be right, each text once: stages share their data."""
        if text not in self.warnings:
            self.warnings.add(text)
            print_log(text, logger="current", level=logging.WARNING)

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Note an error of the user that the block ends with, and go on behind it."""
        try:
            yield
        except (FileNotFoundError, ValueError) as error:
            self.errors.setdefault(str(error), error)

    def finish(self) -> None:
        """Raise what was noted.

        Raises:
            Exception: the only error, as it was raised.
            ValueError: listing the errors, if there are several.
        """
        if len(self.errors) == 1:
            raise next(iter(self.errors.values()))
        if self.errors:
            raise ValueError("\n".join([f"{len(self.errors)} problems", *(f"- {text}" for text in self.errors)]))


class DataReport:
    """What was found in images and labels, told together."""

    def __init__(self) -> None:
        self.problems: dict[str, dict[str, None]] = {kind: {} for kind in KINDS}  # texts, each once, in order
        self.coloured: dict[str, tuple[int, int]] = {}  # labels in colours: pixels of unknown ones, and all
        self.turned: list[str] = []
        self.lossy: list[str] = []
        self.warnings: dict[str, None] = {}
        self.splits: list[ClassPixels] = []

    def add(self, findings: Findings, sample: dict | None = None) -> None:
        """Take note of what was found in a sample, or in the settings."""
        for kind, text in findings.problems:
            self.problems[kind][text] = None
        if findings.unknown_pixels:
            self.coloured[sample["seg_map_path"]] = findings.unknown_pixels, sum(findings.pixels.values())
        if findings.turned:
            self.turned.append(sample["img_path"])
        if findings.lossy:
            self.lossy.append(sample["seg_map_path"])

    def add_census(self, census: Census) -> None:
        """Take note of what the samples of a data set have together."""
        if census.palettes:
            contradiction, texts = census.palettes.contradicting()
            if contradiction:
                self.problems["palette"].update(dict.fromkeys(texts))
            elif texts:
                what = "palette labels with colours of the classes at other indices; their indices count"
                self.warnings[_paragraph(what, texts)] = None
        if census.shallow and census.highest < DEEP:
            scale = f"{census.highest / 255:.5g}"
            what = (
                f"images of more than 8 bits, with values up to {census.highest:g}, of which LoadImageFromFile keeps"
                " the upper 8 bits. To use them all, load with\n    dict(type='LoadImageFromFile', color_type=3,"
                " to_float32=True),\n    dict(type='Normalize', mean=[0, 0, 0],"
                f" std=[{scale}, {scale}, {scale}], to_rgb=False),\n  images"
            )
            self.warnings[_paragraph(what, census.shallow)] = None

    def add_labels(self, pixels: ClassPixels, steps: Sequence[str] = ()) -> None:
        """Take note of the labels of a split, which steps of the pipeline may change."""
        self.splits.append(pixels)
        self.warnings.update(dict.fromkeys(pixels.warnings()))
        if error := pixels.error():
            if steps:
                self.warnings[f"{error}, unless {', '.join(steps)} of the pipeline changes indices"] = None
            else:
                self.problems["pixels"][error] = None

    def finish(self) -> None:
        """Log the table of labelled pixels, warn of what may be right, and raise what cannot be.

        Raises:
            ValueError: listing all problems by kind, with up to :data:`MAX_NAMES` names each.
        """
        self._log_labels()
        if self.coloured:
            unknown, pixels = map(sum, zip(*self.coloured.values()))
            share = f"({unknown} pixels, {unknown / pixels:.1%} of these labels)"
            what = f"labels with colours that are not in the palette, and are ignored {share}"
            if unknown <= MAX_UNKNOWN * pixels:
                _warn(what, list(self.coloured))
            elif not self.problems["colours"]:
                self.problems["colours"] = {f"{what}: {summarize(list(self.coloured))}": None}
        if self.turned:
            _warn(
                "images with an EXIF orientation that the size of their labels cannot confirm (labels must fit the"
                " image as it is shown)",
                self.turned,
            )
        if self.lossy:
            _warn("labels that are JPEGs, which changes indices: save labels as PNG", self.lossy)
        for text in self.warnings:
            print_log(text, logger="current", level=logging.WARNING)
        if self.problems["colours"] or self.problems["palette"]:
            self.problems["pixels"].clear()  # what else can be expected
        found = {kind: list(texts) for kind, texts in self.problems.items() if texts}
        if found:
            number = sum(map(len, found.values()))
            lines = [f"problems in the data: {number} (--no-check leaves this check out)"]
            lines += [_paragraph(KINDS[kind], texts) for kind, texts in found.items()]
            raise ValueError("\n".join(lines))

    def _log_labels(self) -> None:
        splits = [split for split in self.splits if split.labels]
        for split in (split for split in splits if split.split == "test"):
            print_log(summary(split), logger="current")
        trained = [split for split in splits if split.split != "test"]
        for _, side_by_side in groupby(trained, key=lambda split: split.classes):
            print_log(table(list(side_by_side)), logger="current")


def _paragraph(what: str, texts: Sequence[str]) -> str:
    rest = len(texts) - MAX_NAMES
    lines = [f"  {text}" for text in texts[:MAX_NAMES]] + ([f"  and {rest} more"] if rest > 0 else [])
    return "\n".join([f"{what}: {len(texts)}", *lines])


def _warn(what: str, names: Sequence[str]) -> None:
    print_log(_paragraph(what, names), logger="current", level=logging.WARNING)
