"""Downloads that go on where they broke off, and are checked before they get their name."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from .release import Archive

CHUNK = 1 << 20  # bytes
TIMEOUT = 60  # seconds without a byte
BROKEN = (URLError, ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException)


def download(
    archive: Archive, folder: Path, retries: int = 4, wait: float = 2.0, report: Callable[[str], object] | None = None
) -> Path:
    """Download an archive into a folder; one that is there already is taken as it is.

    The bytes go to ``NAME.part``, which gets its name when size and checksum are right. A later call goes on with what
    it finds there, if the server can (HTTP Range); whether the file is still the same, the server tells by its entity
    tag, kept in ``NAME.part.etag`` (If-Range).

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
    path, part = folder / archive.name, folder / f"{archive.name}.part"
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
            done = part.stat().st_size if part.exists() else 0
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
        raise ValueError(
            f"{archive.url} is not the published file: {error}; it was removed, give another address with --url"
        ) from error
    finally:
        _tag_file(part).unlink(missing_ok=True)
    os.replace(part, path)
    return path


def check_archive(path: Path, archive: Archive) -> None:
    """Check size and MD5 of a file, as far as they are known.

    Raises:
        ValueError: if it is not the published file.
    """
    check_size(path, archive)
    if archive.md5 not in (None, found := _md5(path)):
        raise ValueError(f"{path} has the MD5 {found}, expected {archive.md5}")


def check_size(path: Path, archive: Archive) -> None:
    """Check the size of a file, if it is known.

    Raises:
        ValueError: if it is not that of the published file.
    """
    size = path.stat().st_size
    if archive.size not in (None, size):
        raise ValueError(f"{path} has {size:,} bytes, expected {archive.size:,}")


def _receive(archive: Archive, part: Path) -> None:
    """Append to ``part`` what is missing of it, or write it anew where the server cannot go on."""
    done = part.stat().st_size if part.exists() else 0
    if archive.size is not None and done >= archive.size:
        return  # complete, or too much: the checks tell
    headers = {}
    if done:
        headers["Range"] = f"bytes={done}-"
        if _tag_file(part).exists():
            headers["If-Range"] = _tag_file(part).read_text()
    try:
        response = urlopen(Request(archive.url, headers=headers), timeout=TIMEOUT)
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
        if not done:
            part.write_bytes(b"")
            _keep_tag(response, part)
        with _progress() as progress, open(part, "ab") as file:
            task = progress.add_task(archive.name, total=total, completed=done)
            while chunk := response.read1(CHUNK):  # what has come, without waiting for more
                file.write(chunk)
                progress.advance(task, len(chunk))
    if total is not None and part.stat().st_size < total:
        raise ConnectionError("the server closed the connection")


def _keep_tag(response: http.client.HTTPResponse, part: Path) -> None:
    tag = response.headers.get("ETag") or response.headers.get("Last-Modified")
    _tag_file(part).unlink(missing_ok=True)
    if tag and not tag.startswith("W/"):  # a weak tag does not promise the same bytes
        _tag_file(part).write_text(tag)


def _tag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeRemainingColumn())


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
