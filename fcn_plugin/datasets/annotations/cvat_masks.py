"""CVAT's export ``Segmentation mask 1.1``: ``labelmap.txt`` and pictures in its colours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from ...utils.text import summarize
from ..transforms.load_labels import LoadLabels
from .assembling import Annotation, Annotations
from .palette import Colour
from .selection import IGNORED_CODE, UNLABELLED_CODE
from .source import Source, read_each, reading
from .source_masks import mask_size, open_mask

LABELMAP, CLASSES, OBJECTS = "labelmap.txt", "SegmentationClass", "SegmentationObject"
MOST_COLOURS = 254  #: and the two that need no name, in 8 bits
#: Black, and Pascal VOC's outlines, where labelmap.txt has no such class.
UNNAMED = {(0, 0, 0): UNLABELLED_CODE, (224, 224, 192): IGNORED_CODE}


def find_cvat_masks(source: Source) -> tuple[str, ...]:
    """The folders that have a ``labelmap.txt`` and masks, relative to the source, empty or ending in ``/``."""
    folders = [name.removesuffix(LABELMAP) for name in source.names if name.split("/")[-1] == LABELMAP]
    return tuple(folder for folder in folders if any(name.startswith(f"{folder}{CLASSES}/") for name in source.names))


def read_cvat_masks(source: Source, folders: tuple[str, ...]) -> Annotations:
    """Read the masks of classes; those of objects are not needed.

    The classes, and their colours, are in the order of ``labelmap.txt``. Black that it does not have is unlabelled, and
    the colour of Pascal VOC's outlines is ignored.

    Raises:
        ValueError: for several of such exports, a ``labelmap.txt`` that is none, and masks that cannot be read.
    """
    if len(folders) > 1:
        raise ValueError(f"{source.path} has {len(folders)} exports, {', '.join(folders)}: give one of their folders")
    (folder,) = folders
    colours = read_labelmap(source, folder + LABELMAP)
    masks = [name for name in source.names if name.startswith(f"{folder}{CLASSES}/")]
    others = {colour: code for colour, code in UNNAMED.items() if colour not in colours.values()}
    loader = LoadLabels([*colours.values(), *others])
    codes = np.array([*range(len(colours)), *others.values()], np.int16)

    def read(name: str) -> Annotation:
        picture = PurePosixPath(name).relative_to(folder + CLASSES)
        return Annotation(
            (str(picture),), ColourMask(source, name, loader, codes), mask_size(source, name), source.file(name)
        )

    return Annotations(
        "CVAT segmentation masks",
        list(colours),
        read_each(read, masks),
        colours,
        masks=[source.file(name) for name in source.names if name.startswith((folder + CLASSES, folder + OBJECTS))],
    )


def read_labelmap(source: Source, name: str) -> dict[str, Colour]:
    """Colour of each class from lines such as ``road:128,64,128::``.

    Raises:
        ValueError: for a line of another kind, a colour of two classes, or too many classes.
    """
    colours: dict[str, Colour] = {}
    with reading(source.where(name)):
        for number, line in enumerate(source.read(name).decode("utf-8-sig").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = line.strip().rsplit(":", 3)
            if len(parts) != 4 or parts[1].count(",") != 2:
                raise ValueError(f"line {number} must be like 'road:128,64,128::', got {line!r}")
            red, green, blue = map(int, parts[1].split(","))
            if not all(0 <= value <= 255 for value in (red, green, blue)):
                raise ValueError(f"line {number}: colours are from 0 to 255, got {line!r}")
            if (red, green, blue) in colours.values():
                raise ValueError(f"line {number}: the colour {red},{green},{blue} is another class's, too")
            colours[parts[0]] = red, green, blue
        if len(colours) > MOST_COLOURS:
            raise ValueError(f"{len(colours)} classes, at most {MOST_COLOURS} are possible")
    return colours


@dataclass(frozen=True)
class ColourMask:
    """A mask in the colours of classes.

    Attributes:
        source: where it is.
        name: its file.
        loader: knows the colours.
        codes: position in the list of names, or a code, for each of the colours.
    """

    source: Source
    name: str
    loader: LoadLabels
    codes: np.ndarray

    def __call__(self, height: int, width: int) -> np.ndarray:
        """Position in the list of names or a code for each pixel, int16 (height, width)."""
        with open_mask(self.source, self.name) as picture:
            pixels = np.array(picture.convert("RGB"))
        classes, unknown = self.loader.classes_of(pixels)
        if unknown.any():
            found = summarize([str(tuple(colour.tolist())) for colour in np.unique(pixels[unknown], axis=0)])
            raise ValueError(f"{self.source.where(self.name)} has colours that {LABELMAP} does not have: {found}")
        return self.codes[classes]
