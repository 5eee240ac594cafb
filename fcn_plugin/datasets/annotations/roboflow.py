"""Roboflow's export of semantic masks: ``NAME_jpg.rf.HASH_mask.png`` beside the pictures, and ``_classes.csv``."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from ...utils.text import summarize
from .assembling import Annotation, Annotations
from .source import Source, read_each, reading
from .source_masks import mask_size, open_mask

CLASSES, ENDING = "_classes.csv", "_mask.png"
UNKNOWN = -9  #: where a value has no class
VERSION = re.compile(r"(?P<stem>.+)_(?P<suffix>[A-Za-z]+)\.rf\.\w+")  #: what Roboflow makes of a picture's name


def find_roboflow(source: Source) -> tuple[str, ...]:
    """The ``_classes.csv`` of masks; an export of labels of whole pictures has one with other columns."""
    files = [name for name in source.names if name.split("/")[-1] == CLASSES]
    return tuple(name for name in files if b"pixel" in source.read(name).split(b"\n")[0].lower())


def read_roboflow(source: Source, tables: tuple[str, ...]) -> Annotations:
    """Read the masks of an export, usually in folders ``train``, ``valid`` and ``test``.

    The classes are in the order of ``_classes.csv``, which must be the same in all folders.

    Raises:
        ValueError: for tables that differ or are none, and masks that cannot be read.
    """
    classes = [_classes(source, table) for table in tables]
    if any(other != classes[0] for other in classes):
        raise ValueError(f"the {CLASSES} of {source.path} differ: {summarize(tables)}")
    names = [name for _, name in sorted(classes[0].items())]
    codes = np.full(256, UNKNOWN, np.int16)
    codes[sorted(classes[0])] = range(len(names))
    masks = [name for name in source.names if name.endswith(ENDING)]

    def read(name: str) -> Annotation:
        picture = PurePosixPath(name.removesuffix(ENDING))
        before = VERSION.fullmatch(picture.name)
        candidates = [f"{picture}.jpg"] + ([f"{before['stem']}.{before['suffix']}"] if before else [])
        return Annotation(tuple(candidates), IndexMask(source, name, codes), mask_size(source, name), source.file(name))

    pictures = read_each(read, masks)
    return Annotations(
        "Roboflow semantic masks", names, pictures, masks=[source.file(name) for name in masks], remarks=_remarks(masks)
    )


def _classes(source: Source, table: str) -> dict[int, str]:
    """Name of each value of the masks."""
    with reading(source.where(table)):
        rows = csv.reader(source.read(table).decode("utf-8-sig").splitlines()[1:], skipinitialspace=True)
        classes = {int(row[0]): row[1].strip() for row in rows if row}
        if not classes or min(classes) < 0 or max(classes) > 255:
            raise ValueError(f"expected a value from 0 to 255 and a name in each line, got {classes or 'nothing'}")
    return classes


def _remarks(masks: list[str]) -> list[str]:
    stems = Counter(match["stem"] for name in masks if (match := VERSION.match(PurePosixPath(name).name)))
    remarks = []
    if several := sum(count > 1 for count in stems.values()):
        remarks.append(
            f"{several} pictures occur in several versions, as Roboflow augments them: group them by the part of their"
            " names before '_jpg.rf.', or versions of a picture will be in train and val"
        )
    folders = list(dict.fromkeys(name.split("/")[-2] for name in masks if "/" in name))
    if len(folders) > 1:
        remarks.append(f"Roboflow's own split into {summarize(folders)} is not kept")
    return remarks


@dataclass(frozen=True)
class IndexMask:
    """A mask of values that stand for classes."""

    source: Source
    name: str
    codes: np.ndarray

    def __call__(self, height: int, width: int) -> np.ndarray:
        """Codes of the classes, int16 (height, width)."""
        with open_mask(self.source, self.name) as picture:
            values = np.array(picture)
        if values.ndim == 3 and (values == values[..., :1]).all():  # grey, saved as colours
            values = values[..., 0]
        if values.ndim != 2 or values.dtype not in (np.bool_, np.uint8):
            raise ValueError(f"{self.source.where(self.name)} is no picture of one value of 8 bits for each pixel")
        labels = self.codes[values.astype(np.uint8)]
        if unknown := np.unique(values[labels == UNKNOWN]).tolist():
            have = summarize(list(map(str, unknown)))
            raise ValueError(f"{self.source.where(self.name)} has values that {CLASSES} does not have: {have}")
        return labels
