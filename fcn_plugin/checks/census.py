"""What all samples of a data set have together: pixels by class, sizes, palettes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .findings import Findings
from .label_colours import PaletteComparison

DEEP = 1 << 15  #: 16-bit images have higher values than this, if they use their bits


@dataclass(frozen=True)
class Picture:
    """A sample of a dataloader.

    Attributes:
        dataset: config of the data set that has it, without the toolbox's wrappers.
        index: of the sample in it.
        path: of the image.
        width: in pixels.
        height: in pixels.
    """

    dataset: Mapping
    index: int
    path: str
    width: int
    height: int


class Census:
    """Counts over the samples of a data set.

    Attributes:
        samples: number of samples.
        labels: number of labels that were counted.
        pixels: by index, over all labels.
        pictures: by index, the number of labels in which it occurs.
        bands: for each number of bands of the images, the first one that has it.
        shallow: images of more than 8 bits, of which 8 are loaded.
        highest: the highest value in them.
        largest: the image with most pixels, as it is loaded.
        palettes: what the palettes of the labels say.

    Args:
        dataset (Mapping): config of the data set.
        colours (Sequence, optional): RGB of each class of the label files, if it is known.
        first (int): index of the first of them.
    """

    def __init__(self, dataset: Mapping, colours: Sequence | None = None, first: int = 0) -> None:
        self.dataset = dataset
        self.samples = self.labels = 0
        self.pixels, self.pictures = Counter(), Counter()
        self.bands: dict[int, str] = {}
        self.shallow: list[str] = []
        self.highest = 0.0
        self.largest: Picture | None = None
        self.palettes = PaletteComparison(colours, first) if colours is not None and len(colours) else None

    def add(self, findings: Findings, index: int, sample: Mapping) -> None:
        """Count a sample."""
        self.samples += 1
        if findings.pixels:
            self.labels += 1
            self.pixels.update(findings.pixels)
            self.pictures.update(findings.pixels.keys())
        if self.palettes and findings.usual_colours:
            self.palettes.usual = True
        elif self.palettes and findings.colours:
            self.palettes.add(sample["seg_map_path"], findings.colours)
        if findings.highest is not None:
            self.shallow.append(sample["img_path"])
            self.highest = max(self.highest, findings.highest)
        if findings.size:
            width, height, bands = findings.size
            self.bands.setdefault(bands, sample["img_path"])
            if self.largest is None or width * height > self.largest.width * self.largest.height:
                self.largest = Picture(self.dataset, index, sample["img_path"], width, height)
