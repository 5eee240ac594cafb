"""Labels in colours that are not the palette's, and palettes that contradict it."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from ..datasets.transforms import LoadLabels
from ..datasets.transforms.load_labels import encode_colours

MAX_SHARE = 0.01  #: of a label's pixels, in many colours that are not in the palette
MAX_VOID_COLOURS = 8  #: colours of a label that may stand for pixels to ignore, as borders have them


def colour_problem(content: bytes, loader: LoadLabels) -> str | None:
    """Why a colour picture with unknown colours is no label.

    One colour, or a few, may be those of pixels to ignore. Many come from JPEG or from smoothed outlines.

    Args:
        content (bytes): of the file.
        loader (LoadLabels): with the palette.
    """
    with Image.open(io.BytesIO(content)) as picture:
        image = np.array(picture.convert("RGB"))
        lossy = picture.format == "JPEG"
    unknown = loader.classes_of(image)[1]
    share, exchanged = unknown.mean(), loader.classes_of(image[..., ::-1])[1].mean()
    if share <= MAX_SHARE:
        return None
    text = f"{share:.1%} of its pixels have colours that are not in the palette"
    if exchanged < share / 2:
        return f"{text}, {exchanged:.1%} if red and blue are exchanged: the labels or the palette are in BGR order"
    found = np.unique(encode_colours(image[unknown]))
    if np.isin(found, [0x010101 * index for index in range(256)]).all() and found.max() >> 16 < len(loader.colours):
        return f"{text}, but three equal bands of indices: save one band"
    if len(found) <= MAX_VOID_COLOURS:
        return None
    why = "JPEG changes colours" if lossy else "outlines are smoothed, or the palette is another one"
    return f"{text} ({len(found)} colours; {why}): save labels as PNG, each pixel in the colour of its class"


class PaletteComparison:
    """Whether the palettes of a data set's label files say the same as the indices in them.

    A palette only shows the indices, so one that has nothing to do with the data set's colours says nothing.

    Attributes:
        usual: whether there are files that have the palette of the data set.

    Args:
        colours (Sequence[Sequence[int]]): RGB of each class of the files.
        first (int): index of the first class: 1 if 0 stands for pixels to ignore.
    """

    def __init__(self, colours: Sequence[Sequence[int]], first: int = 0) -> None:
        codes = encode_colours(np.array(colours).reshape(-1, 3))
        self.classes = {index + first: int(code) for index, code in enumerate(codes)}
        self.places = defaultdict(list)  # of each colour
        for index, code in self.classes.items():
            self.places[code].append(index)
        self.usual = False
        self.files: list[tuple[str, Mapping[int, int]]] = []

    def add(self, path: str, colours: Mapping[int, int]) -> None:
        """Take note of the colour that a file shows each of its indices in."""
        self.files.append((path, colours))

    def contradicting(self) -> tuple[bool, list[str]]:
        """The files that show a class in the colour of another one.

        Returns:
            tuple[bool, list[str]]: whether this is an error, and what to say of each file. It is one if such an index
            has several colours, or if all indices have colours of classes; else it may be chance, as with the palette
            that a tool gives to all data sets.
        """
        orders = [[(path, _ordered(colours, bgr)) for path, colours in self.files] for bgr in (False, True)]
        exchanged = orders[1]
        if all(self.classes.get(index, code) == code for _, colours in exchanged for index, code in colours.items()):
            return False, []  # in BGR, all is at its place
        known = set(self.classes.values())
        files = max(orders, key=lambda files: sum(code in known for _, colours in files for code in colours.values()))
        moved = [(path, self._moved(colours)) for path, colours in files]
        shown = defaultdict(set)
        if self.usual:
            shown.update({index: {code} for index, code in self.classes.items()})
        for _, colours in files:
            for index in colours.keys() & self.classes.keys():
                shown[index].add(colours[index])
        several = any(len(shown[index]) > 1 for _, indices in moved for index in indices)
        foreign = any(not codes & known for codes in shown.values())
        texts = [
            f"{path}: {', '.join(f'{index} in the colour of {other}' for index, other in indices.items())}"
            for path, indices in moved
            if indices
        ]
        if not texts and (greys := self._ordered_greys()):
            return True, greys
        return bool(texts) and (several or not foreign), texts

    def _ordered_greys(self) -> list[str]:
        """The files whose greys are the indices, as optimisers turn grey labels into palettes of what occurs.

        In a scale of greys that is the same in all files, they only show the indices.
        """
        values = [(path, {index: code >> 16 for index, code in colours.items()}) for path, colours in self.files]
        shown = defaultdict(set)
        for (_, colours), (_, greys) in zip(self.files, values):
            for index, grey in greys.items():
                shown[index].add(grey)
                if colours[index] != 0x010101 * grey or grey not in self.classes and grey != 255:
                    return []
        if all(len(greys) == 1 for greys in shown.values()):
            return []
        moved = [(path, {index: grey for index, grey in greys.items() if index != grey}) for path, greys in values]
        return [
            f"{path}: {', '.join(f'{index} in the grey of {grey}' for index, grey in greys.items())}"
            for path, greys in moved
            if greys
        ]

    def _moved(self, colours: Mapping[int, int]) -> dict[int, int]:
        """The indices of classes that are shown in the colour of another class, and which."""
        shown = {index: self.places.get(colours[index], [index]) for index in colours.keys() & self.classes.keys()}
        return {index: places[0] for index, places in sorted(shown.items()) if index not in places}


def _ordered(colours: Mapping[int, int], bgr: bool) -> Mapping[int, int]:
    if not bgr:
        return colours
    return {index: (code & 255) << 16 | code & 0xFF00 | code >> 16 for index, code in colours.items()}
