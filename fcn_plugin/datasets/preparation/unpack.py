"""Unpacking what is wanted of an archive, and nothing outside the folder it is meant for."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from rich import progress

from .release import Archive


def check_python() -> None:
    """Check that this Python can unpack safely.

    Raises:
        RuntimeError: if it is older than 3.10.12 or 3.11.4.
    """
    if not hasattr(tarfile, "data_filter"):
        raise RuntimeError("this Python's tarfile has no filters to unpack safely with: take 3.10.12, 3.11.4 or newer")


def unpack(path: Path, archive: Archive, target: Path) -> None:
    """Unpack the wanted members of a tar file; files that are in ``target`` already are kept, but for empty ones.

    They are unpacked to a directory beside ``target`` and moved when all of them are there: in one step if there is no
    ``target`` yet.

    Args:
        path (Path): the tar file, compressed or not.
        archive (Archive): what is wanted of it.
        target (Path): the directory that takes the place of ``archive.folder``.

    Raises:
        ValueError: if the archive is damaged, has a member that leads outside or a wanted one that is no plain file,
            or has nothing that is wanted. Nothing of it is left.
    """
    check_python()
    unpacking = target.with_name(f"{target.name}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)
    unpacking.mkdir(parents=True)
    try:
        _extract(path, archive, unpacking)
        if not any(unpacking.iterdir()):
            raise ValueError(f"{path} has no {' or '.join(archive.members)} in {archive.folder}")
        _move_missing(unpacking, target)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


def _extract(path: Path, archive: Archive, folder: Path) -> None:
    with progress.open(path, "rb", description=f"Unpacking {path.name}") as file, tarfile.open(fileobj=file) as tar:
        for member in tar:
            tarfile.data_filter(member, str(folder))  # refuses what leads outside, wanted or not
            inner = PurePosixPath(member.name)
            if member.isdir() or not inner.is_relative_to(archive.folder):
                continue
            name = str(inner.relative_to(archive.folder))
            if any(fnmatch(name, pattern) for pattern in archive.members):
                if not member.isfile():
                    raise tarfile.TarError(f"its member {member.name} is not a plain file")
                tar.extract(member.replace(name=name, deep=False), folder, filter="data")


def _move_missing(source: Path, target: Path) -> None:
    if not target.exists() or (target.is_file() and not target.stat().st_size):
        source.replace(target)
    elif source.is_dir():
        for child in source.iterdir():
            _move_missing(child, target / child.name)
