"""The pictures of folders, whatever else lies in them."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from ...utils.text import summarize

PICTURES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .jp2 .gif .bmp .dib .tif .tiff .webp .avif .ppm .pgm .pbm .pnm .tga .hdr .exr".split()
)


@dataclass(frozen=True)
class File:
    """A picture, by its file and its path below the given folder without suffix, in composed Unicode, with ``/``."""

    path: Path
    text: str

    @classmethod
    def of(cls, path: Path, root: Path) -> File:
        """The file of a folder ``root``."""
        return cls(path, unicodedata.normalize("NFC", path.relative_to(root).with_suffix("").as_posix()))


def list_both(images: Path, masks: Path) -> tuple[list[File], list[File], list[str]]:
    """Pictures, masks, and remarks on what is neither."""
    for folder, what in ((images, "pictures"), (masks, "masks")):
        if not folder.is_dir():
            problem = "is no folder" if folder.exists() else "does not exist"
            raise FileNotFoundError(f"{folder} {problem}: give the folder of the {what}")
    lists, remarks = [], []
    for folder, other, what in ((images, masks, "pictures"), (masks, images, "masks")):
        found, passed_over = _pictures_of(folder, other)
        if not found:
            raise ValueError(f"{folder} has no {what}: expected files such as .png, .jpg or .tif")
        lists.append(found)
        if passed_over:
            names = summarize([path.name for path in passed_over])
            text = f"{len(passed_over)} files of {folder} that are no pictures were passed over: {names}"
            remarks += [text] * (text not in remarks)
    return *lists, remarks


def _pictures_of(folder: Path, other: Path) -> tuple[list[File], list[Path]]:
    """Pictures below a folder, but not below another folder inside it; and other files."""
    files, passed_over = [], []
    for place, folders, names in os.walk(folder, followlinks=True):
        at = Path(place)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith((".", "__MACOSX"))
            and not os.path.samefile(at / name, other)
            and (at / name).resolve() not in [at.resolve(), *at.resolve().parents]  # a link to where we come from
        )
        for name in sorted(names):
            is_picture = Path(name).suffix.lower() in PICTURES and not name.startswith(".")
            (files if is_picture else passed_over).append(at / name)
    return [File.of(path, folder) for path in files], passed_over
