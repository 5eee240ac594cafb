"""All that is wrong, in one error."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mmengine.logging import print_log

from .samples import Findings

MAX_NAMES = 20  #: files to name of each kind of problem
#: Kinds of problems, in the order of the report.
KINDS = {
    "empty": "lists without a single image",
    "neither": "names in a list that have neither image nor label",
    "missing image": "missing images",
    "missing label": "missing labels",
    "unlabelled": "images of a data set without labels (data_prefix.seg_map_path)",
    "unreadable image": "images that cannot be read",
    "unreadable label": "labels that cannot be read",
    "size": "labels of another size than their image (width x height)",
    "index": "labels with indices that are neither a class nor the ignored index",
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
        self.coloured: list[str] = []
        self.unknown_pixels = 0
        self.turned: list[str] = []

    def add(self, findings: Findings, sample: dict | None = None) -> None:
        """Take note of what was found in a sample, or in the settings."""
        for kind, text in findings.problems:
            self.problems[kind][text] = None
        if findings.unknown_pixels:
            self.coloured.append(sample["seg_map_path"])
            self.unknown_pixels += findings.unknown_pixels
        if findings.turned:
            self.turned.append(sample["img_path"])

    def finish(self) -> None:
        """Warn of what may be right, and raise what cannot be.

        Raises:
            ValueError: listing all problems by kind, with up to :data:`MAX_NAMES` names each.
        """
        if self.coloured:
            what = f"labels with colours that are not in the palette, and are ignored ({self.unknown_pixels} pixels)"
            _warn(what, self.coloured)
        if self.turned:
            _warn(
                "images with an EXIF orientation that the size of their labels cannot confirm (labels must fit the"
                " image as it is shown)",
                self.turned,
            )
        found = {kind: list(texts) for kind, texts in self.problems.items() if texts}
        if found:
            number = sum(map(len, found.values()))
            lines = [f"problems in the data: {number} (--no-check leaves this check out)"]
            lines += [_paragraph(KINDS[kind], texts) for kind, texts in found.items()]
            raise ValueError("\n".join(lines))


def _paragraph(what: str, texts: Sequence[str]) -> str:
    rest = len(texts) - MAX_NAMES
    lines = [f"  {text}" for text in texts[:MAX_NAMES]] + ([f"  and {rest} more"] if rest > 0 else [])
    return "\n".join([f"{what}: {len(texts)}", *lines])


def _warn(what: str, names: Sequence[str]) -> None:
    print_log(_paragraph(what, names), logger="current", level=logging.WARNING)
