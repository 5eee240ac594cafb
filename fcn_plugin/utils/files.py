"""Files that are whole or not there, and places that cannot be written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What the system says of a file for which there is no room, or of a file system that is read-only.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
PROBE = b"0" * 4096  #: a block of a file system: an empty file fits on a full one


class CannotWriteError(OSError):
    """A file or directory that cannot be written, in a sentence."""

    def __init__(self, path: str | os.PathLike, reason: str) -> None:
        super().__init__(f"{path} cannot be written: {reason}")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write to the path that this gives; it takes the place of ``path`` when the block ends without an error.

    A process that is killed leaves a hidden ``.NAME.PID.part``.

    Raises:
        CannotWriteError: if the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:
        if reason := _why_not_written(error, partial):
            raise CannotWriteError(path, reason) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _why_not_written(error: Exception, partial: Path) -> str | None:
    """What kept a file from being written; None for an error of another cause."""
    if isinstance(error, OSError):
        concerns_it = error.errno in NO_ROOM or str(partial) in (error.filename, error.filename2)
        return error.strerror if concerns_it else None
    if "inline_container" in str(error) or "PytorchStreamWriter" in str(error):  # torch.save, whatever the cause is
        return os.strerror(errno.ENOSPC)
    return None


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def check_writable(folder: str | os.PathLike) -> None:
    """Try whether a directory can be made, or written to; nothing is left behind, no time stamp either.

    Raises:
        CannotWriteError: if it cannot.
    """
    try:
        existing = next(path for path in (Path(folder).absolute(), *Path(folder).absolute().parents) if _is_there(path))
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{existing} is no directory")
        with tempfile.TemporaryFile(dir=existing, buffering=0) as file:
            file.write(PROBE)
    except OSError as error:
        raise CannotWriteError(folder, f"{error.strerror}; give another directory, or make room") from error


def file_digest(path: str | os.PathLike, kind: str = "sha256") -> str:
    """A hash of what a file holds, in hexadecimal digits; of any size, as it is read in parts.

    Args:
        path (str | os.PathLike): the file.
        kind (str): of the hash, as :func:`hashlib.new` knows it.
    """
    digest = hashlib.new(kind, usedforsecurity=False)
    with open(path, "rb") as file:
        while part := file.read(1 << 22):
            digest.update(part)
    return digest.hexdigest()
