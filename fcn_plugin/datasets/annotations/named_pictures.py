"""Pictures of a folder, found by the names that annotations give them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from unicodedata import normalize
from urllib.parse import parse_qs, unquote, urlsplit

from .pairing_files import PICTURES
from .source import list_files


class NamedPictures:
    """The pictures below a folder.

    Args:
        folder (Path): where they are.
        without (Collection[Path]): pictures that are masks.

    Raises:
        FileNotFoundError: if there is no such folder, or no picture in it.
    """

    def __init__(self, folder: Path, without: Collection[Path] = ()) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no folder of pictures {folder}")
        masks = {os.path.abspath(path) for path in without}
        self.folder = folder
        self.names = [  #: relative to the folder, in order
            name
            for name in list_files(folder)
            if PurePosixPath(name).suffix.lower() in PICTURES and os.path.abspath(folder / name) not in masks
        ]
        if not self.names:
            raise FileNotFoundError(f"there is no picture in {folder}")
        self._by_file, self._by_stem = defaultdict(list), defaultdict(list)
        for name in self.names:
            path = PurePosixPath(name)
            self._by_file[_folded(path.name)].append(name)
            self._by_stem[_folded(path.stem)].append(name)

    def find(self, candidates: Iterable[str]) -> tuple[str, tuple] | None:
        """The picture that is meant by the first of several names that has one.

        Folders in a name count as far as they agree; a suffix need not agree.

        Args:
            candidates (Iterable[str]): names as an annotation has them: paths of any system, also as part of a URL.

        Returns:
            tuple[str, tuple] | None: the picture, relative to the folder, and how well it agrees, to be compared.

        Raises:
            ValueError: if several pictures are meant.
        """
        for tried, name in enumerate(spelling for candidate in candidates for spelling in spellings(candidate)):
            path = PurePosixPath(_folded(name))
            ways = self._by_file.get(path.name), self._by_stem.get(path.stem), self._by_stem.get(path.name)
            for way, found in enumerate(ways):
                if found:
                    scores = {picture: _agreement(PurePosixPath(name), PurePosixPath(picture)) for picture in found}
                    best = max(scores.values())
                    nearest = [picture for picture in found if scores[picture] == best]
                    if len(nearest) > 1:
                        raise ValueError(f"{name} may be {' or '.join(nearest[:3])}")
                    return nearest[0], (-tried, -way, *best)
        return None


def _folded(name: str) -> str:
    """A name in small letters, in composed Unicode: some systems have it decomposed."""
    return normalize("NFC", name).casefold()


def _agreement(name: PurePosixPath, picture: PurePosixPath) -> tuple[int, bool, bool, int]:
    """How many folders agree from the last on, whether these are all of the picture's; then in the very letters."""

    def common(one: PurePosixPath, other: PurePosixPath) -> int:
        pairs = list(zip(reversed(one.parent.parts), reversed(other.parent.parts)))
        return next((number for number, (a, b) in enumerate(pairs) if a != b), len(pairs))

    folders = common(PurePosixPath(_folded(str(name))), PurePosixPath(_folded(str(picture))))
    return folders, folders == len(picture.parent.parts), name.name == picture.name, common(name, picture)


def spellings(name: str) -> list[str]:
    """A name as it is, and as the path that is encoded in a URL, both with ``/``."""
    plain = name.replace("\\", "/")
    url = urlsplit(name) if "://" in name or "?" in name else None
    inner = (parse_qs(url.query).get("d", [url.path])[0] if url else plain).replace("\\", "/")
    return list(dict.fromkeys([plain, inner, unquote(inner)]))
