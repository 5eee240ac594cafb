"""The pictures and videos that paths, folders and patterns mean, and the names of their predictions."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from .outputs import CONFIDENCE, LOGITS, PROBABILITIES

IMAGE_SUFFIXES = frozenset(".bmp .gif .jp2 .jpeg .jpg .pbm .pgm .png .ppm .tif .tiff .webp".split())
VIDEO_SUFFIXES = frozenset(".avi .m4v .mkv .mov .mp4 .mpeg .mpg .webm .wmv".split())
CONFIG_SUFFIXES = frozenset(".py .json .yaml .yml".split())
#: Directories of the predictions: pictures with the classes painted over them, and class indices.
OVERLAYS, LABELS = "overlays", "labels"
FOLDERS = (OVERLAYS, LABELS, PROBABILITIES, CONFIDENCE, LOGITS)


@dataclass(frozen=True)
class Source:
    """A picture or a video.

    Attributes:
        path: its file.
        name: of its predictions, without a suffix; of files in a folder or of a pattern with the folders between, as
            in ``city/street``.
    """

    path: Path
    name: str

    @property
    def file_name(self) -> str:
        """Its name with its suffix."""
        return f"{self.name}{self.path.suffix}"

    @property
    def folder(self) -> Path:
        """The folders of its name."""
        return Path(self.name).parent

    @property
    def is_video(self) -> bool:
        """Whether it is a video, by the suffix of its file."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES


def find_sources(given: Sequence[str], out: str | Path) -> list[Source]:
    """The pictures and videos that are meant, each once, in the order in which they are given.

    - A file is taken as it is.
    - Of a folder, all pictures in it and below it are taken, by their suffixes, but hidden ones.
    - Of a pattern (``'videos/*.mp4'``, ``'city/**/*.png'``), all pictures and videos that match.

    What earlier runs wrote to ``out`` is left out of folders and patterns.

    Args:
        given (Sequence[str]): files, folders and patterns.
        out (str | Path): where the predictions will be written, see :class:`PredictionWriter`.

    Raises:
        FileNotFoundError: for a path that does not exist, and a folder or a pattern without pictures.
        NotADirectoryError: if ``out`` is a file.
        ValueError: if predictions would overwrite each other, or their own source.
    """
    if Path(out).exists() and not Path(out).is_dir():
        raise NotADirectoryError(f"{out} is a file: give a directory for the predictions")
    written = tuple(Path(os.path.abspath(out), name) for name in FOLDERS)
    sources: dict[tuple[bool, str], Source] = {}
    paths: set[str] = set()
    for one in given:
        for source in _expand(one, written):
            path = os.path.abspath(source.path)
            if path in paths:
                continue
            paths.add(path)
            other = sources.setdefault((source.is_video, source.name), source)
            if other is not source:
                raise ValueError(_collision(other, source))
    return list(sources.values())


def check_order(config: str, weights: str) -> None:
    """Check that a config and weights were given in their places, after the pictures.

    Raises:
        ValueError: saying what was taken for the config and for the weights.
    """
    pictures = IMAGE_SUFFIXES | VIDEO_SUFFIXES
    if Path(config).suffix.lower() not in CONFIG_SUFFIXES or Path(weights).suffix.lower() in CONFIG_SUFFIXES | pictures:
        raise ValueError(
            f"expected pictures first, then the config (.py), and the weights last, but got {config} for the config and"
            f" {weights} for the weights"
        )


def _expand(given: str, written: tuple[Path, ...]) -> Iterator[Source]:
    path = Path(given).expanduser()
    if path.is_file():
        if _is_below(path, written):
            raise ValueError(f"{given} is where predictions are written to: give another directory for them")
        yield Source(path, path.stem)
        return
    if path.is_dir():
        root, found, wanted = path, _files_below(path), IMAGE_SUFFIXES
    elif glob.has_magic(given):
        root = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
        found, wanted = map(Path, glob.glob(str(path), recursive=True)), IMAGE_SUFFIXES | VIDEO_SUFFIXES
    else:
        raise FileNotFoundError(f"there is no picture, video or folder {given}")
    sources = [
        Source(file, file.relative_to(root).with_suffix("").as_posix())
        for file in sorted(found)
        if file.suffix.lower() in wanted and file.is_file() and not _is_below(file, written)
    ]
    if not sources:
        what = "pictures" if path.is_dir() else "pictures and videos"
        raise FileNotFoundError(f"there are no {what} in {given} ({', '.join(sorted(wanted))})")
    yield from sources


def _files_below(folder: Path) -> Iterator[Path]:
    """All files in a folder and the folders below it, also by links, but hidden ones."""
    for current, folders, files in os.walk(folder, followlinks=True):
        above = Path(current).resolve()
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and not above.is_relative_to(Path(current, name).resolve())  # a link in a circle
        ]
        yield from (Path(current, name) for name in files if not name.startswith("."))


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    return any(Path(os.path.abspath(path)).is_relative_to(folder) for folder in folders)


def _collision(first: Source, second: Source) -> str:
    if first.path.parent == second.path.parent:
        remedy = f"choose one of them by a pattern, such as '{first.path.parent / f'*{first.path.suffix}'}'"
    else:
        remedy = "give the folder that both are in, or run twice with different directories for the predictions"
    return f"the predictions of {first.path} and {second.path} would overwrite each other ({first.name}): {remedy}"
