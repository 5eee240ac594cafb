"""Unpacking: what is wanted, and nothing that leads elsewhere."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from fcn_plugin.datasets.preparation.release import Archive
from fcn_plugin.datasets.preparation.unpack import unpack

ARCHIVE = Archive("a.tar", "top/set", members=("lists/*.txt", "all.txt"))
FILES = {"top/set/lists/a.txt": "a", "top/set/all.txt": "all", "top/set/other.txt": "o", "top/lists/b.txt": "b"}


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def pack(path: Path, files: dict[str, str] = FILES, *further: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as tar:
        for name, text in files.items():
            info = member(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
        for info in further:
            tar.addfile(info)
    return path


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["a.tar", "a.tgz"])
@pytest.mark.parametrize("prefix", ["", "./"])
def test_takes_what_is_wanted(tmp_path, name, prefix):
    path = pack(tmp_path / name, {prefix + name: text for name, text in FILES.items()})
    unpack(path, ARCHIVE, tmp_path / "root/set")
    assert contents(tmp_path / "root") == {"set/lists/a.txt": "a", "set/all.txt": "all"}


def test_keeps_what_is_there(tmp_path):
    target = tmp_path / "set"
    (target / "lists").mkdir(parents=True)
    (target / "lists/mine.txt").write_text("mine")
    (target / "all.txt").write_text("mine")
    (target / "lists/a.txt").write_text("")  # as a full disk leaves it
    unpack(pack(tmp_path / "a.tar"), ARCHIVE, target)
    assert contents(target) == {"lists/mine.txt": "mine", "all.txt": "mine", "lists/a.txt": "a"}


def test_what_a_kill_left_is_removed(tmp_path):
    (tmp_path / "set.unpacking/lists").mkdir(parents=True)
    (tmp_path / "set.unpacking/lists/half.txt").write_text("ha")
    unpack(pack(tmp_path / "a.tar"), ARCHIVE, tmp_path / "set")
    assert sorted(contents(tmp_path / "set")) == ["all.txt", "lists/a.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "set"]


@pytest.mark.parametrize(
    "info",
    [
        member("../evil.txt"),
        member("top/set/lists/../../../../evil.txt"),
        member("top/other/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("top/other/link", tarfile.SYMTYPE, "../../../evil.txt"),
        member("top/other/device", tarfile.CHRTYPE),
        member("top/set/lists/link.txt", tarfile.SYMTYPE, "a.txt"),
        member("top/set/lists/link.txt", tarfile.LNKTYPE, "top/set/lists/a.txt"),
        member("top/set/lists/pipe.txt", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name}-{info.type.decode()}",
)
def test_nothing_that_leads_elsewhere(tmp_path, info):
    folder = tmp_path / "deep/er"
    folder.mkdir(parents=True)
    path = pack(folder / "a.tar", FILES, info)
    with pytest.raises(ValueError, match=r"a\.tar cannot be unpacked: .*(evil|link|device|pipe)"):
        unpack(path, ARCHIVE, folder / "set")
    assert [path for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()] == [path]
    assert list(folder.iterdir()) == [path]


def test_an_absolute_name_is_not_followed(tmp_path):
    evil = tmp_path / "evil.txt"
    unpack(pack(tmp_path / "a.tar", {**FILES, str(evil): "evil"}), ARCHIVE, tmp_path / "set")
    assert not evil.exists() and len(contents(tmp_path / "set")) == 2


@pytest.mark.parametrize("damage", ["cut", "cut gzip", "no archive", "other archive", "empty archive"])
def test_damaged(tmp_path, damage):
    path = tmp_path / "a.tar"
    if damage == "cut":
        content = pack(path, {"top/set/all.txt": "x" * 5000}).read_bytes()
        path.write_bytes(content[:3000])
    elif damage == "cut gzip":
        content = gzip.compress(pack(path).read_bytes())
        path.write_bytes(content[: len(content) // 2])
    elif damage == "no archive":
        path.write_text("<html>")
    else:
        pack(path, {"else/where.txt": "x"} if damage == "other archive" else {})
    message = "has no lists/.* in top/set" if "archive" in damage and damage != "no archive" else "cannot be unpacked"
    with pytest.raises(ValueError, match=message):
        unpack(path, ARCHIVE, tmp_path / "set")
    assert list(tmp_path.iterdir()) == [path]


def test_old_python(tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(RuntimeError, match="take 3.10.12, 3.11.4 or newer"):
        unpack(tmp_path / "a.tar", ARCHIVE, tmp_path / "set")
    assert list(tmp_path.iterdir()) == []
