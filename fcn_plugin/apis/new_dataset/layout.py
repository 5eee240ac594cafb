"""The files of a new data set: their names, and how they come to be."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...datasets.preparation.lists import FOLDER, IMAGES, LABELS, write_list
from ...evaluation.index_png import write_indices
from .pictures import write_png

#: Signs in names that a list of names, a command line or another file system may take for something else.
TROUBLE = re.compile(r"[\s\"'#,;\\:*?<>|]+")
IGNORED_COLOUR = (224, 224, 192)  #: VOC's, of index 255
PALETTE_SIZE = 256


@dataclass(frozen=True)
class Layout:
    """Where the files of the pictures go, in VOC layout.

    Attributes:
        names: of each picture, without a suffix, as in the lists.
        image_suffix: of all pictures.
        rewritten: whether a picture must be written anew, as a PNG; others keep their bytes.
    """

    names: tuple[str, ...]
    image_suffix: str
    rewritten: tuple[bool, ...]

    @classmethod
    def of(cls, names: Sequence[str], images: Sequence[Path], usual: Sequence[str | None]) -> Layout:
        """Lay out pictures.

        Files of one format stay as they are, and so does their suffix if it is the same. Otherwise all become PNGs, and
        so do GIFs and other formats that OpenCV does not read everywhere.

        Args:
            names (Sequence[str]): of the pictures, each once.
            images (Sequence[Path]): their files.
            usual (Sequence[str, optional]): what :func:`usual_suffix` says of each.
        """
        if len(set(usual)) == 1 and usual[0]:
            suffixes = {image.suffix for image in images}
            suffix = suffixes.pop() if len(suffixes) == 1 else usual[0]
            return cls(plain_names(names), suffix or usual[0], (False,) * len(names))
        return cls(plain_names(names), ".png", tuple(one != ".png" for one in usual))

    def write_image(self, root: Path, index: int, source: Path, image: np.ndarray, link: bool) -> None:
        """Copy a picture, link to it, or write it as a PNG.

        Args:
            root (Path): of the data set.
            index (int): of the picture.
            source (Path): its file.
            image (np.ndarray): what was read from it, uint8 or uint16 (H, W, bands).
            link (bool): make a symbolic link rather than a copy.
        """
        path = root / IMAGES / (self.names[index] + self.image_suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.rewritten[index]:
            write_png(path, source, image)
        elif link:
            path.symlink_to(source.absolute())
        else:
            shutil.copyfile(source, path)

    def write_labels(self, root: Path, index: int, labels: np.ndarray, palette: Sequence[tuple[int, int, int]]) -> None:
        """Write labels, uint8 (H, W), as a palette PNG."""
        grey = (0, 0, 0)
        whole = [*palette, *[grey] * (PALETTE_SIZE - 1 - len(palette)), IGNORED_COLOUR]  # of fewer, Pillow drops bits
        write_indices(self.labels(root, index), labels, whole)

    def labels(self, root: Path, index: int) -> Path:
        """The file of the labels of a picture."""
        return root / LABELS / f"{self.names[index]}.png"

    def write_lists(self, root: Path, lists: Sequence[str]) -> None:
        """Write the names of the pictures of each list."""
        for one in dict.fromkeys(lists):
            write_list(root / FOLDER / f"{one}.txt", [name for name, other in zip(self.names, lists) if other == one])


def plain_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names, each once, without spaces and signs that mean something elsewhere; folders stay.

    Args:
        names (Sequence[str]): different ones.
    """
    wanted = [TROUBLE.sub("_", name.strip()) for name in names]
    plain, taken = list(wanted), set()
    for index in sorted(range(len(names)), key=lambda one: wanted[one] != names[one]):  # good ones stay
        number = 1
        while plain[index].casefold() in taken:
            number += 1
            plain[index] = f"{wanted[index]}_{number}"
        taken.add(plain[index].casefold())
    return tuple(plain)
