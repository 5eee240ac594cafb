"""Files of annotations, wherever they lie: in a folder, in a zip file, or a single one."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TypeVar
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ...utils.progress import in_threads
from ...utils.text import first_line

ZIP = b"PK"  #: how a zip file begins
MOST = 20  #: problems to tell
LARGEST = 1 << 31  #: bytes that a file in a zip may unpack to

Item, Result = TypeVar("Item"), TypeVar("Result")


@contextmanager
def reading(what: str | Path) -> Iterator[None]:
    """Say of what is read in the block what is wrong with it.

    Raises:
        ValueError: in place of what Python raises for a missing key, or a value of another kind.
    """
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{what}: there is no {error}") from error
    except (ArithmeticError, AttributeError, IndexError, OSError, SyntaxError, TypeError, ValueError) as error:
        raise ValueError(f"{what}: {first_line(error)}") from error


def read_each(
    read: Callable[[Item], Result], items: Sequence[Item], description: str = "Reading annotations"
) -> list[Result]:
    """Read one after the other.

    Raises:
        ValueError: what is wrong with all those that cannot be read.
    """

    def attempt(item: Item) -> Result | Exception:
        try:
            return read(item)
        except (OSError, ValueError) as error:
            return error

    results = list(in_threads(attempt, items, description))
    errors = [first_line(result) for result in results if isinstance(result, Exception)]
    if len(errors) > 1:
        errors = [f"{len(errors)} problems:", *errors[:MOST], *(["..."] if len(errors) > MOST else [])]
    if errors:
        raise ValueError("\n- ".join(errors))
    return results


@dataclass(frozen=True)
class Source:
    """Files of annotations. From a zip they are read where they are, nothing is unpacked.

    Attributes:
        path: a folder, a zip file or a single file of another kind.
    """

    path: Path

    @cached_property
    def zipped(self) -> bool:
        """Whether it is a zip file, by its content."""
        return self.path.is_file() and self.start() == ZIP

    def start(self, length: int = len(ZIP)) -> bytes:
        """The first bytes of the single file."""
        with self.path.open("rb") as file:
            return file.read(length)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The files in order, relative to the folder, with ``/``; hidden ones are left out.

        Raises:
            ValueError: for a zip that is damaged, or that has a member that leads outside.
        """
        if not self.zipped:
            return list_files(self.path) if self.path.is_dir() else (self.path.name,)
        with self._open_zip() as archive:
            members = [member.filename for member in archive.infolist() if not member.is_dir()]
        for member in members:
            parts = PurePosixPath(member.replace("\\", "/")).parts
            if ".." in parts or member.startswith(("/", "\\")) or ":" in parts[0]:
                raise ValueError(f"{self.path} has a member that leads outside, {member!r}: do not trust this file")
        return tuple(sorted(name for name in members if not any(map(_hidden, name.split("/")))))

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            ValueError: if it is in a zip and cannot be unpacked.
        """
        if not self.zipped:
            return self.file(name).read_bytes()
        with self._open_zip() as archive:
            if archive.getinfo(name).file_size > LARGEST:
                raise ValueError(f"{name} in {self.path} unpacks to more than {LARGEST >> 30} GiB")
            return archive.read(name)

    def file(self, name: str) -> Path:
        """The file on disk that has the content: a zip has all of its own."""
        return self.path / name if self.path.is_dir() else self.path

    def where(self, name: str) -> str:
        """What to call a file in a message."""
        return f"{name} in {self.path}" if self.zipped else str(self.file(name))

    def read_json(self, name: str) -> object:
        """Content of a JSON file.

        Raises:
            ValueError: if it is none, or cut off.
        """
        try:
            return json.loads(self.read(name))
        except (RecursionError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(f"{self.where(name)} is no JSON, damaged or cut off: {first_line(error)}") from error

    def read_xml(self, name: str) -> Element:
        """Root of an XML file, which may define no entities: a few lines of them can fill the memory.

        Raises:
            ValueError: if it is none, is cut off, or has a document type.
        """
        builder, parser = TreeBuilder(), expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
        parser.CharacterDataHandler = builder.data

        def refuse(*_: object) -> None:
            raise ValueError(f"{self.where(name)} has a <!DOCTYPE>, which no annotation tool writes: it is not read")

        parser.StartDoctypeDeclHandler = refuse
        try:
            parser.Parse(self.read(name), True)
        except expat.ExpatError as error:
            raise ValueError(f"{self.where(name)} is no XML, damaged or cut off: {error}") from error
        return builder.close()

    @contextmanager
    def _open_zip(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except (EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{self.path} cannot be unpacked: {first_line(error)}") from error


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def list_files(folder: Path) -> tuple[str, ...]:
    """All files below a folder that are not hidden, in order, relative to it, with ``/``."""
    found = []
    for place, folders, files in os.walk(folder, followlinks=True):
        above = [Path(place).resolve(), *Path(place).resolve().parents]  # where links may lead back to
        folders[:] = [name for name in folders if not _hidden(name) and Path(place, name).resolve() not in above]
        inner = Path(place).relative_to(folder)
        found += [(inner / name).as_posix() for name in files if not _hidden(name)]
    return tuple(sorted(found))
