"""Downloads that go on where they broke off, and are checked before they get their name."""

from __future__ import annotations

import http.client
import os
import shutil
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from rich.progress import DownloadColumn, Progress

from ...utils.files import file_digest
from .release import Archive

CHUNK = 1 << 20  # bytes
TIMEOUT = 60  # seconds without a byte
BROKEN = (URLError, ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException)


def download(
    archive: Archive, folder: Path, retries: int = 4, wait: float = 2.0, report: Callable[[str], object] | None = None
) -> Path:
    """Download an archive into a folder; one that is there already is taken as it is.

    The bytes go to ``NAME.part``, which gets its name when size and checksum are right. A later call goes on with what
    it finds there, if the server can (HTTP Range); the checksum tells whether all of it is of the published file.

    Args:
        archive (Archive): with an address.
        folder (Path): made if need be.
        retries (int): how often to go on, in this call, after the connection broke.
        wait (float): seconds to wait before that, twice as long each time.
        report (Callable, optional): is told of interruptions.

    Returns:
        Path: the file in ``folder``.

    Raises:
        ConnectionError: if there is no connection, or it breaks more often; what has come is kept.
        OSError: if the server has no such file, or the disk no room for it.
        ValueError: if it is not the published file; what has come is removed.
    """
    path, part = folder / archive.name, part_of(archive, folder)
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(retries + 1):
        try:
            _receive(archive, part)
            break
        except BROKEN as error:
            if isinstance(error, HTTPError) and error.code < 500:
                raise OSError(
                    f"{archive.url} answered {error.code} {error.reason}: give another address with --url, or the"
                    f" folder that has {archive.name} with --archives"
                ) from error
            done = bytes_in(part)
            message = f"the download of {archive.url} broke off after {done:,} bytes ({error or type(error).__name__})"
            no_server = isinstance(error, URLError) and not isinstance(error, HTTPError) and not done
            if attempt == retries or no_server:
                raise ConnectionError(
                    f"{message}: run the same command later to go on, or get the file and name its folder by --archives"
                ) from error
            if report:
                report(f"{message}; going on")
            time.sleep(wait * 2**attempt)
    try:
        check_archive(part, archive)
    except ValueError as error:
        part.unlink()
        raise ValueError(f"{archive.url}: {error} (it was removed), or give another address with --url") from error
    os.replace(part, path)
    return path


def part_of(archive: Archive, folder: Path) -> Path:
    """Where the bytes of an archive go until it is complete."""
    return folder / f"{archive.name}.part"


def bytes_in(path: Path) -> int:
    """The size of a file, 0 if there is none."""
    return path.stat().st_size if path.is_file() else 0


def check_archive(path: Path, archive: Archive, checksum: bool = True) -> None:
    """Check the size and, unless this is to be quick, the MD5 of a file, as far as they are known.

    Raises:
        ValueError: if it is not the published file.
    """
    unwanted = "it is damaged or another file, get it anew"
    if archive.size not in (None, size := bytes_in(path)):
        raise ValueError(f"{path} has {size:,} bytes, expected {archive.size:,}: {unwanted}")
    if checksum and archive.md5 and (digest := file_digest(path, "md5")) != archive.md5:
        raise ValueError(f"{path} has the MD5 {digest}, expected {archive.md5}: {unwanted}")


def _receive(archive: Archive, part: Path) -> None:
    """Append to ``part`` what is missing of it, or write it anew where the server cannot go on."""
    done = bytes_in(part)
    if archive.size is not None and done >= archive.size:
        return  # complete, or too much: the checks tell
    request = Request(archive.url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        response = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        if error.code != 416 or not done:
            raise
        if error.headers.get("Content-Range") != f"bytes */{done}":  # else nothing is missing
            part.unlink()
            _receive(archive, part)
        return
    with response:
        if response.status != 206:
            done = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            part.unlink()
            raise ConnectionError("the server sent another part than it was asked for")
        length = response.headers.get("Content-Length")
        total = None if length is None else done + int(length)
        if total is not None and archive.size not in (None, total):
            raise ValueError(f"{archive.url} has {total:,} bytes, expected {archive.size:,}: give another with --url")
        if total is not None and shutil.disk_usage(part.parent).free < total - done:
            raise OSError(f"{part.parent} has no room for the {total - done:,} bytes to come of {archive.name}")
        columns = (*Progress.get_default_columns(), DownloadColumn())
        with Progress(*columns) as progress, open(part, "ab" if done else "wb") as file:
            task = progress.add_task(archive.name, total=total, completed=done)
            while chunk := response.read1(CHUNK):  # what has come, without waiting for more
                file.write(chunk)
                progress.advance(task, len(chunk))
    if total is not None and bytes_in(part) < total:
        raise ConnectionError("the server closed the connection")
