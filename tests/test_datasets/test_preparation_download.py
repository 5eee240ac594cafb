"""Downloads from a server on this machine, which breaks off, forgets, and errs."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from testing.small_release import Server, describe, serving
from testing.utils import free_port

from fcn_plugin.datasets.preparation import download as module
from fcn_plugin.datasets.preparation.download import download
from fcn_plugin.datasets.preparation.release import Archive

CONTENT = np.random.default_rng(0).bytes(300_001)
HALF = 150_000


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 1 << 14)
    (tmp_path / "served").mkdir()
    (tmp_path / "served/a.tar").write_bytes(CONTENT)
    with serving(tmp_path / "served") as server:
        yield server


@pytest.fixture
def archive(server) -> Archive:
    return describe(Archive("a.tar", "x"), server.folder / "a.tar", url=server.url("a.tar"))


def ranges(server: Server) -> list[str | None]:
    return [headers.get("Range") for _, headers in server.requests]


def files(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def break_off(server, archive, folder) -> None:
    """Download the first half."""
    server.cuts = [HALF]
    with pytest.raises(
        ConnectionError, match="broke off after 150,000 bytes .*: run the same command later to go on, or"
    ):
        download(archive, folder, retries=0)
    assert files(folder) == ["a.tar.part"]
    assert (folder / "a.tar.part").read_bytes() == CONTENT[:HALF]


def test_whole(server, archive, tmp_path):
    path = download(archive, tmp_path / "to/here")
    assert path == tmp_path / "to/here/a.tar" and path.read_bytes() == CONTENT
    assert files(path.parent) == ["a.tar"] and ranges(server) == [None]
    assert download(archive, tmp_path / "to/here") == path
    assert len(server.requests) == 1  # what is there is taken as it is


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_goes_on_where_it_broke_off(server, archive, tmp_path, knows_ranges):
    """Or begins anew, where the server cannot go on."""
    break_off(server, archive, tmp_path / "here")
    server.ranges = knows_ranges
    path = download(archive, tmp_path / "here", retries=0)
    assert path.read_bytes() == CONTENT and files(path.parent) == ["a.tar"]
    assert ranges(server) == [None, f"bytes={HALF}-"]


def test_goes_on_by_itself(server, archive, tmp_path):
    server.cuts, reports = [HALF, HALF + 7], []
    path = download(archive, tmp_path / "here", retries=2, wait=0, report=reports.append)
    assert path.read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={HALF}-", f"bytes={HALF + 7}-"]
    assert len(reports) == 2 and "after 150,007 bytes" in reports[1]


def test_a_file_that_has_changed_since_it_broke_off(server, archive, tmp_path):
    break_off(server, archive, tmp_path / "here")
    (server.folder / "a.tar").write_bytes(CONTENT[::-1])
    with pytest.raises(ValueError, match=f"a.tar.part has the MD5 .*, expected {archive.md5}: .* removed.* --url"):
        download(archive, tmp_path / "here")
    assert files(tmp_path / "here") == []
    (server.folder / "a.tar").write_bytes(CONTENT)
    assert download(archive, tmp_path / "here").read_bytes() == CONTENT


def test_another_part_than_asked_for(server, archive, tmp_path):
    server.cuts, server.shift = [HALF], 1
    assert download(archive, tmp_path / "here", retries=2, wait=0).read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={HALF}-", None]


@pytest.mark.parametrize("extra, expected", [(b"", [f"bytes={len(CONTENT)}-"]), (b"x", ["bytes=300002-", None])])
def test_size_not_known_and_nothing_missing(server, archive, tmp_path, extra, expected):
    (tmp_path / "a.tar.part").write_bytes(CONTENT + extra)
    unknown = Archive("a.tar", "x", md5=archive.md5, url=archive.url)
    assert download(unknown, tmp_path, retries=0).read_bytes() == CONTENT
    assert ranges(server) == expected


def test_complete_but_not_renamed(server, archive, tmp_path):
    (tmp_path / "a.tar.part").write_bytes(CONTENT)
    assert download(archive, tmp_path).read_bytes() == CONTENT
    assert server.requests == []


def test_wrong_size(server, archive, tmp_path):
    break_off(server, archive, tmp_path / "here")
    (server.folder / "a.tar").write_bytes(CONTENT[:200_000])
    with pytest.raises(ValueError, match="has 200,000 bytes, expected 300,001: give another with --url"):
        download(archive, tmp_path / "here")
    assert (tmp_path / "here/a.tar.part").read_bytes() == CONTENT[:HALF]


def test_not_found(server, archive, tmp_path):
    (server.folder / "a.tar").unlink()
    with pytest.raises(OSError, match="a.tar answered 404 .*: give another address with --url, or .* --archives"):
        download(archive, tmp_path / "here", wait=0)
    assert len(server.requests) == 1


def test_an_overloaded_server_is_asked_again(server, archive, tmp_path):
    server.statuses = [503, 503]
    assert download(archive, tmp_path / "here", retries=2, wait=0).read_bytes() == CONTENT
    server.statuses = [503] * 3
    with pytest.raises(ConnectionError, match="broke off after 0 bytes .*503"):
        download(archive, tmp_path / "there", retries=2, wait=0)


def test_no_server(archive, tmp_path):
    archive = replace(archive, url=f"http://127.0.0.1:{free_port()}/a.tar")
    reports = []
    with pytest.raises(ConnectionError, match="broke off after 0 bytes .*refused.* name its folder by --archives"):
        download(archive, tmp_path / "here", retries=1, wait=60, report=reports.append)
    assert reports == []  # at once


def test_no_room(server, archive, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=len(CONTENT) - 1))
    with pytest.raises(OSError, match="no room for the 300,001 bytes to come of a.tar"):
        download(archive, tmp_path / "here")
    assert files(tmp_path / "here") == [] and len(server.requests) == 1
