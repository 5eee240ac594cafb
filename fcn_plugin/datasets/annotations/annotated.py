"""What every form of annotation becomes: pictures with a function that reads their class indices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class AnnotatedPicture:
    """A picture and its labels.

    Attributes:
        name: without a suffix, unique in its set; with the folders between, as in ``city/street``.
        image: its file.
        read_labels: reads the class indices, uint8 (H, W), 255 where a pixel is ignored, of the size of the picture as
            it is shown, after its EXIF orientation is applied. Raises ValueError for what cannot be read.
        annotations: the files that they are read from.
    """

    name: str
    image: Path
    read_labels: Callable[[], np.ndarray]
    annotations: tuple[Path, ...]


@dataclass(frozen=True)
class AnnotatedSet:
    """Pictures that are annotated with the same classes.

    Attributes:
        pictures: in the order of their names.
        classes: names, by index.
        palette: a colour (R, G, B) for each class.
        form: what the annotations are, in words for a user, such as ``masks of 0 and 255``.
        remarks: what a user should know: how files were paired, what has no partner, what was ignored.
    """

    pictures: tuple[AnnotatedPicture, ...]
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    form: str
    remarks: tuple[str, ...] = ()
