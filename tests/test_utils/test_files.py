"""Files that are whole or not there, and the sentence for a place that cannot be written."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from fcn_plugin.utils.files import CannotWriteError, atomic_write, check_writable


@contextmanager
def full_disk(limit: int = 1000) -> Iterator[None]:
    """Files cannot grow beyond so many bytes; not a fixture, in which pytest's own output would be limited."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_bytes(path: Path) -> None:
    path.write_bytes(b"0" * 2000)


def save_by_name(path: Path) -> None:
    torch.save(dict(a=torch.zeros(1000)), path)


def save_to_a_file(path: Path) -> None:
    with path.open("wb") as file:
        torch.save(dict(a=torch.zeros(1000)), file)


@pytest.mark.parametrize("write", [write_bytes, save_by_name, save_to_a_file])
def test_full_disk(write, tmp_path):
    """What was there before is there still, and nothing else."""
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(CannotWriteError, match=f"^{path} cannot be written: (File too large|No space left on device)$"):
        with full_disk(), atomic_write(path) as partial:
            write(partial)
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["file"]


def test_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotWriteError, match=f"^{tmp_path}/file/a cannot be written: Not a directory$"):
        with atomic_write(tmp_path / "file/a") as partial:
            partial.touch()


@pytest.mark.parametrize("error", [ValueError("a"), FileNotFoundError(errno.ENOENT, "gone", "b"), RuntimeError("c")])
def test_other_errors_stay(error, tmp_path):
    with pytest.raises(type(error)) as raised:
        with atomic_write(tmp_path / "file"):
            raise error
    assert raised.value is error and not any(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["", "folder", "a/b/c"])
def test_writable(place, tmp_path):
    """Trying leaves nothing, not even a time stamp."""
    (tmp_path / "folder").mkdir()
    os.utime(tmp_path, ns=(1, 1))
    check_writable(tmp_path / place)
    assert os.listdir(tmp_path) == ["folder"] and tmp_path.stat().st_mtime_ns == 1


@pytest.mark.parametrize(
    "place, reason",
    [
        ("file", "{folder}/file is no directory"),
        ("file/a/b", "{folder}/file is no directory"),
        ("dangling", "{folder}/dangling is no directory"),
        ("a" * 300, "File name too long"),
        ("/proc/a", "No such file or directory"),
    ],
)
def test_not_writable(place, reason, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(CannotWriteError) as error:
        check_writable(tmp_path / place)
    expected = f"{tmp_path / place} cannot be written: {reason.format(folder=tmp_path)}; give another directory"
    assert str(error.value).startswith(expected)


def test_full_directory(tmp_path):
    with (
        pytest.raises(CannotWriteError, match="cannot be written: File too large; give another directory"),
        full_disk(0),
    ):
        check_writable(tmp_path)
