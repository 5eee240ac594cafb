"""All masks of a set, read once: which values they have, and whether they fit their pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...utils.images import size_of
from ...utils.progress import in_threads
from ...utils.text import summarize
from .mask_files import count_flat, count_values, read_mask

PHOTO_VALUES, PHOTO_SHARE = 32, 0.3  #: of a photograph: more values, more of its pixels in values without areas
ENOUGH_PHOTOS = 3  #: among the masks, to stop reading


@dataclass(frozen=True)
class MaskFacts:
    """What is known of a mask.

    Attributes:
        path: its file.
        size: width and height in pixels.
        is_colour: whether its values are colours, 0xRRGGBB.
        palette: of a palette picture, the colour of each index that occurs.
        lossy: whether its format changes values.
        counts: number of pixels of each value.
        flat: number of those in areas of each value.
        one_bit: whether it has bits, of which 1 is white.
    """

    path: Path
    size: tuple[int, int]
    is_colour: bool
    palette: dict[int, int]
    lossy: bool
    counts: dict[int, int]
    flat: dict[int, int]
    one_bit: bool

    @classmethod
    def of(cls, path: Path) -> MaskFacts:
        """Read a mask."""
        mask = read_mask(path)
        size = mask.codes.shape[::-1]
        counts, flat = count_values(mask.codes), count_flat(mask.codes)
        return cls(path, size, mask.is_colour, mask.palette, mask.lossy, counts, flat, mask.one_bit)

    def shown(self) -> set[int]:
        """The values, or those that a palette shows them in."""
        return {self.palette.get(code, code) for code in self.counts}

    @property
    def is_photo(self) -> bool:
        """Whether most values have no areas, as in a photograph."""
        rough = sum(number for code, number in self.counts.items() if 2 * self.flat.get(code, 0) < number)
        return len(self.counts) > PHOTO_VALUES and rough > PHOTO_SHARE * sum(self.counts.values())


class Census:
    """What a set of masks has together.

    Attributes:
        in_colours: whether values are colours, 0xRRGGBB; else they are numbers.
        is_palette: whether all are palette pictures whose indices count.
        palette: colour of each value, if palettes have them.
        counts: number of pixels of each value in all masks.
        flat: number of those in areas.
        lossy: a mask whose format changes values, if there is one.
        white: value of the 1 in masks of one bit: 255 if all others are black and white, else 1.

    Args:
        masks (Sequence[MaskFacts]): at least one.
    """

    def __init__(self, masks: Sequence[MaskFacts]) -> None:
        self.lossy = next((mask.path for mask in masks if mask.lossy), None)
        shown: dict[int, set[int]] = {}
        for mask in masks:
            for index, colour in mask.palette.items():
                shown.setdefault(index, set()).add(colour)
        if all(colours == {index * 0x010101} for index, colours in shown.items()):
            shown.clear()  # a scale of greys, which only shows the indices
        mixed = any(mask.is_colour for mask in masks)
        moved = any(len(colours) > 1 for colours in shown.values())  # palettes of what occurs in each file
        self.in_colours = mixed or moved or _is_of_shades(shown)
        self.is_palette = bool(shown) and not self.in_colours
        self.palette = {index: colours.pop() for index, colours in shown.items()} if self.is_palette else {}
        values = set().union(*(mask.counts for mask in masks if not mask.one_bit))
        self.white = 255 if 255 in values <= {0, 255} else 1
        self.counts, self.flat = Counter(), Counter()
        for mask in masks:
            for total, counts in ((self.counts, mask.counts), (self.flat, mask.flat)):
                for code, number in counts.items():
                    total[self._code(mask, code)] += number
        self.greys = self.in_colours and all(code == (code & 255) * 0x010101 for code in self.counts)
        if self.greys:  # saved in three equal bands
            self.in_colours = False
            self.counts = Counter({code & 255: number for code, number in self.counts.items()})
            self.flat = Counter({code & 255: number for code, number in self.flat.items()})

    def _code(self, mask: MaskFacts, code: int) -> int:
        if mask.one_bit:
            return code * (0xFFFFFF if self.in_colours else self.white)
        if not self.in_colours or mask.is_colour:
            return code
        if mask.palette:
            return mask.palette[code]
        if not 0 <= code <= 255:
            raise ValueError(f"some masks have colours, but {mask.path} has the value {code}: give masks of one kind")
        return code * 0x010101

    def codes_of(self, path: Path) -> np.ndarray:
        """Values of a mask of this set, int32 (H, W)."""
        mask = read_mask(path)
        if self.greys:
            return mask.colours() & 255
        if self.in_colours:
            return mask.colours()
        return mask.codes * self.white if mask.one_bit else mask.codes


def _is_of_shades(shown: Mapping[int, set[int]]) -> bool:
    """Whether a palette has greys, or black and one colour, whose order counts and not that of their indices."""
    colours = [colour for of_index in shown.values() for colour in of_index]
    if len(set(colours)) < len(colours) or len(colours) < 2 or 255 in shown and len(shown) > 2:
        return False
    return all(colour == (colour & 255) * 0x010101 for colour in colours) or len(colours) == 2 and 0 in colours


def take_census(pairs: Sequence[tuple[Path, Path]]) -> list[MaskFacts]:
    """Read all masks, with a progress bar if it takes long.

    Args:
        pairs (Sequence[tuple[Path, Path]]): pictures and their masks.

    Raises:
        ValueError: naming masks that cannot be read, are photographs, or have another size than their picture.
    """
    masks, unreadable, photos, sizes = [], [], [], []
    for (image, path), (mask, problem, size) in zip(pairs, in_threads(_look_at, pairs, "Reading the masks")):
        if mask is None:
            unreadable.append(problem)
            continue
        masks.append(mask)
        if mask.is_photo:
            photos.append(f"{path.name} has {len(mask.counts)} values")
            if len(photos) >= ENOUGH_PHOTOS and 2 * len(photos) > len(masks):
                break
        if size is not None and size != mask.size:
            text = f"{path.name} is {_times(mask.size)}, {image.name} {_times(size)}"
            sizes.append(f"{text} (turned)" if size == mask.size[::-1] else text)
    problems = []
    if unreadable:
        problems.append(unreadable[0] if len(unreadable) == 1 else _several("masks that cannot be read", unreadable))
    if photos:
        problems.append(
            f"photographs in place of masks, or masks changed by JPEG or smoothing: {summarize(photos)}. Masks have one"
            " value or colour for each class: give the folder of the masks, saved as PNG without smooth edges, or say"
            " with --pair which files they are"
        )
    elif sizes:
        problems.append(
            f"{len(sizes)} of {len(pairs)} masks have another size than their picture (width x height, as it is shown):"
            f" {summarize(sizes, 3)}. Give masks of the pictures' size, or scale them without interpolation"
        )
    if problems:
        raise ValueError("\n".join(problems))
    return masks


def _look_at(pair: tuple[Path, Path]) -> tuple[MaskFacts | None, str, tuple[int, int] | None]:
    """What is known of a mask, or why it cannot be read; and the size of its picture, if it can be told."""
    image, mask = pair
    try:
        facts = MaskFacts.of(mask)
    except ValueError as error:
        return None, str(error), None
    size = size_of(str(image))
    if size is None:
        content = np.fromfile(image, np.uint8)
        values = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
        size = None if values is None else values.shape[1::-1]
    return facts, "", size


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _several(what: str, texts: Sequence[str]) -> str:
    return f"{len(texts)} {what}: {summarize(texts)}"
