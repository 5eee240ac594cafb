"""What is known of a new data set once all of its pictures and labels have been read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DatasetFacts:
    """Counts over the pictures of a new data set, from which the settings of its training follow.

    Attributes:
        classes: names, by index.
        palette: a colour (R, G, B) for each class.
        splits: number of pictures in each list, by its name: ``train``, ``val`` and, if it was asked for, ``test``.
        sizes: (height, width) of each picture of train, in pixels.
        largest: (height, width) of the picture of all lists that has the most pixels.
        bands: of every picture, 1, 3, 4 or more.
        bits: of the pictures' values, 8 or 16.
        mean: of train by band, in the pictures' own units; of three bands red first, of others as in the file.
        std: of train by band.
        class_pixels: labelled pixels of train by class.
        image_suffix: of the pictures in the new data set, such as ``.jpg``.
        ceilings: the best mean IU that is possible at a stride, by the stride, as :func:`.ceilings.label_ceilings`
            finds it on the labels of train; empty if it was not measured.
    """

    classes: Sequence[str]
    palette: Sequence[tuple[int, int, int]]
    splits: dict[str, int]
    sizes: Sequence[tuple[int, int]]
    largest: tuple[int, int]
    bands: int
    bits: int
    mean: Sequence[float]
    std: Sequence[float]
    class_pixels: Sequence[int]
    image_suffix: str
    ceilings: Mapping[int, float] = field(default_factory=dict)
