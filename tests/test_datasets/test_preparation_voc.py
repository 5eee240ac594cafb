"""VOC and SBD from their archives to the tree that the configs read."""

import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image
from testing.small_release import (
    AUG,
    LISTS,
    SBD_ONLY,
    SBD_TRAIN,
    SBD_VAL,
    TEST,
    TRAIN,
    VAL,
    VOC2011_VAL,
    kill_when,
    make_archives,
    prepare,
    sbd_label,
    serving,
    voc_label,
)
from testing.utils import PROCESSES

from fcn_plugin.datasets.preparation import check_voc, prepare_voc
from fcn_plugin.datasets.preparation.lists import read_list


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("release") / "archives"


@pytest.fixture(scope="module")
def release(archives):
    return make_archives(archives)


@pytest.fixture(scope="module")
def prepared(archives, release, tmp_path_factory) -> Path:
    """A complete tree; not to be changed."""
    root = tmp_path_factory.mktemp("prepared") / "VOCdevkit"
    assert prepare_voc(root, archives, release=release)
    return root


@pytest.fixture
def copy(prepared, tmp_path) -> Path:
    """A complete tree, to change."""
    return shutil.copytree(prepared, tmp_path / "VOCdevkit")


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr("fcn_plugin.datasets.preparation.download.urlopen", refuse)


def labels(root: Path, folder: str) -> dict[str, np.ndarray]:
    return {path.stem: np.array(Image.open(path)) for path in (root / "VOC2012" / folder).iterdir()}


def state(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }


def assert_complete(root: Path) -> None:
    """Every list and label is as the definitions have it."""
    voc = root / "VOC2012"
    for name, expected in LISTS.items():
        found = read_list(voc / f"ImageSets/Segmentation/{name}.txt")
        assert found == (sorted(expected) if "aug" in name else expected), name
    assert {path.stem for path in (voc / "JPEGImages").iterdir()} >= {*TRAIN, *VAL, *SBD_ONLY}
    expected = dict(
        SegmentationClass={name: voc_label(name) for name in (*TRAIN, *VAL)},
        SegmentationClassSBD={name: sbd_label(name) for name in (*SBD_TRAIN, *SBD_VAL)},
        SegmentationClassAug={name: voc_label(name) for name in TRAIN} | {name: sbd_label(name) for name in AUG},
    )
    for folder, by_name in expected.items():
        found = labels(root, folder)
        assert found.keys() == by_name.keys() and len(found) >= 8
        assert all(np.array_equal(found[name], label) for name, label in by_name.items()), folder
    left = {path.name for path in root.iterdir()}
    assert left <= {"VOC2012", "VOC2011", "downloads", ".preparing.lock"}


def test_from_archives(prepared, release, archives, offline):
    assert_complete(prepared)
    assert check_voc(prepared, release=release) == []
    assert not (prepared / "downloads").exists() and len(list(archives.iterdir())) == 4
    test_images = {f"{name}.jpg" for name in TEST}  # VOC2012test.tar is there
    assert test_images < {path.name for path in (prepared / "VOC2012/JPEGImages").iterdir()}


def test_downloaded(release, archives, tmp_path):
    reports = []
    with serving(archives) as server:
        assert prepare_voc(tmp_path / "a/b", release=server.serve(release), workers=2, report=reports.append)
        asked = [path for path, _ in server.requests]
    assert asked == ["/VOCtrainval_11-May-2012.tar", "/benchmark.tgz"]
    assert_complete(tmp_path / "a/b")
    assert sorted(path.name for path in (tmp_path / "a/b/downloads").iterdir()) == sorted(
        [release.voc2012.name, release.sbd.name]
    )
    assert "needs about" in reports[0] and "are free" in reports[0]  # before anything else


def test_voc_alone(release, archives, tmp_path, offline):
    root, lists = tmp_path / "root", tmp_path / "root/VOC2012/ImageSets/Segmentation"
    assert [f"{lists / name}.txt is missing" for name in LISTS] == check_voc(root, release=release)
    assert list(tmp_path.iterdir()) == []
    assert prepare_voc(root, archives, sbd=False, release=release)
    assert {path.name for path in (root / "VOC2012").iterdir()} == {"ImageSets", "JPEGImages", "SegmentationClass"}
    assert check_voc(root, sbd=False, release=release) == []
    assert len(check_voc(root, release=release)) == 5  # the lists with SBD
    assert prepare_voc(root, archives, release=release)
    assert_complete(root)


def test_again(copy, release, archives, offline):
    mine = copy / "VOC2012/ImageSets/Segmentation/trainaug.txt"
    mine.write_text("\n".join(reversed(read_list(mine))))
    before = state(copy)
    assert len(before) > 30
    assert not prepare_voc(copy, archives, release=release)
    assert not prepare_voc(copy, release=release)  # without archives, nothing is downloaded
    assert state(copy) == before


def test_a_tree_that_was_unpacked_by_hand(release, archives, tmp_path, offline):
    with tarfile.open(archives / release.voc2012.name) as tar:
        tar.extractall(tmp_path, filter="data")
    root, only_sbd = tmp_path / "VOCdevkit", tmp_path / "only_sbd"
    before = state(root)
    only_sbd.mkdir()
    shutil.copy(archives / release.sbd.name, only_sbd)
    assert prepare_voc(root, only_sbd, release=release)
    assert_complete(root)
    assert before.items() <= state(root).items()


@pytest.mark.parametrize(
    "lost, needs_archives",
    [
        (["JPEGImages/2010_000000.jpg", "SegmentationClassSBD"], True),  # as if SBD had not been prepared
        (["SegmentationClass/2009_000000.png"], True),
        (["SegmentationClassSBD/2010_000001.png"], True),
        (["SegmentationClassAug/2010_000001.png"], False),
        (["ImageSets/Segmentation/sbd_val.txt"], True),
        (["ImageSets/Segmentation/seg11valid.txt"], False),
        (["ImageSets/Segmentation/trainaug.txt"], False),
    ],
)
def test_what_is_lost_is_named_and_made_again(copy, release, archives, lost, needs_archives, offline):
    for path in (copy / "VOC2012" / name for name in lost):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = state(copy)
    problems = check_voc(copy, release=release)
    assert problems and state(copy) == before
    for path in (copy / "VOC2012" / name for name in lost):
        assert any(str(path.parent) in problem and path.name in problem for problem in problems)
    assert prepare_voc(copy, archives if needs_archives else None, release=release)
    assert_complete(copy)
    assert before.items() <= state(copy).items()


@pytest.mark.parametrize("one, other", [("train", "val"), ("seg11valid", "sbd_train"), ("val", "trainaug")])
def test_overlap_in_a_prepared_tree(copy, release, one, other):
    lists = copy / "VOC2012/ImageSets/Segmentation"
    names = read_list(lists / f"{one}.txt")
    names[0] = read_list(lists / f"{other}.txt")[0]
    (lists / f"{one}.txt").write_text("\n".join(names))
    assert any("overlap" in problem and names[0] in problem for problem in check_voc(copy, release=release))


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(counts=dict(sbd_train=6)), "sbd_train.txt has 5 names, expected 6"),
        (dict(seg11valid=(VAL[2], SBD_TRAIN[0])), f"sbd_train.txt and seg11valid.txt overlap: {SBD_TRAIN[0]}"),
        (dict(seg11valid=(VAL[2], VAL[3])), "VOC2011's val without SBD train and seg11valid differ in 2 images"),
        (
            dict(voc2012=dict(members=("ImageSets/*", "Seg*", "JPEGImages/200*"))),
            "JPEGImages lacks 5 of SBD's images, for example 2010_000000.jpg",
        ),
    ],
)
def test_archives_that_are_not_the_release(release, archives, tmp_path, change, message):
    if "voc2012" in change:
        change = dict(voc2012=replace(release.voc2012, **change["voc2012"]))
    with pytest.raises(ValueError, match=message):
        prepare_voc(tmp_path, archives, voc2011=True, release=replace(release, **change))
    assert not (tmp_path / "VOC2012/SegmentationClassSBD").exists()  # before the work
    assert not (tmp_path / "VOC2012/ImageSets/Segmentation/sbd_train.txt").exists()


def test_seg11valid_by_its_definition(release, archives, tmp_path, offline):
    reports = []
    assert prepare_voc(tmp_path, archives, voc2011=True, release=release, report=reports.append)
    assert_complete(tmp_path)
    voc2011 = tmp_path / "VOC2011"
    assert [str(path.relative_to(voc2011)) for path in voc2011.rglob("*.*")] == ["ImageSets/Segmentation/val.txt"]
    assert read_list(voc2011 / "ImageSets/Segmentation/val.txt") == VOC2011_VAL
    assert "seg11valid is VOC2011's val without SBD train: 2 images." in reports
    assert not prepare_voc(tmp_path, archives, voc2011=True, release=release)


def test_disk_too_small(release, archives, tmp_path, monkeypatch):
    space = sum(archive.unpacked + archive.size for archive in (release.voc2012, release.sbd))
    with serving(archives) as server:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=space - 1))
        message = "needs about .* GB of disk, .* GB of them for downloads, but .* GB are free: make room"
        with pytest.raises(OSError, match=message):
            prepare_voc(tmp_path / "root", release=server.serve(release))
        assert server.requests == list(tmp_path.iterdir()) == []
        (tmp_path / "root/downloads").mkdir(parents=True)
        part = tmp_path / f"root/downloads/{release.voc2012.name}.part"
        part.write_bytes((archives / release.voc2012.name).read_bytes()[:1000])
        assert prepare_voc(tmp_path / "root", release=server.serve(release))  # the rest fits
        assert server.requests[0][1]["Range"] == "bytes=1000-"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(OSError, match="0.0 GB of them for downloads"):
        prepare_voc(tmp_path / "other", archives, release=release)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (["VOCdevkit/VOC2012"], ValueError, "VOC2012 is a data set itself: give the directory above, .*VOCdevkit$"),
        (["root", "nowhere"], FileNotFoundError, "there is no directory .*nowhere of archives"),
        (
            ["root", "VOCdevkit"],
            FileNotFoundError,
            r"VOCdevkit has no VOCtrainval_11-May-2012.tar \(http://host.*\) and benchmark.tgz \(https://www2.*put it",
        ),
    ],
)
def test_wrong_arguments(tmp_path, arguments, error, message, offline):
    (tmp_path / "VOCdevkit/VOC2012/ImageSets").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error, match=message):
        prepare_voc(*(tmp_path / name for name in arguments))
    assert sorted(tmp_path.rglob("*")) == before


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip_a_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage, known, message",
    [
        (cut_short, True, "has .* bytes, expected .*: it is damaged or another file, get it anew"),
        (cut_short, False, "cannot be unpacked"),
        (flip_a_bit, True, "has the MD5 .*, expected .*: it is damaged or another file, get it anew"),
    ],
)
@pytest.mark.parametrize("key", ["voc2012", "sbd"])
def test_damaged_archive(release, archives, tmp_path, key, damage, known, message):
    folder, archive = shutil.copytree(archives, tmp_path / "archives"), getattr(release, key)
    path = folder / archive.name
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    if not known:
        release = replace(release, **{key: replace(archive, size=None, md5=None)})
    with pytest.raises(ValueError, match=f"{archive.name} {message}"):
        prepare_voc(tmp_path / "root", folder, release=release)
    assert path.read_bytes() == before  # the user's file is left alone
    assert not (known and (tmp_path / "root/VOC2012").exists())  # all are checked before any is unpacked
    assert not list((tmp_path / "root").glob("*.unpacking"))


def test_two_at_a_time(release, archives, tmp_path):
    with FileLock(tmp_path / ".preparing.lock"), pytest.raises(RuntimeError, match="another process is preparing"):
        prepare_voc(tmp_path, archives, release=release)
    assert prepare_voc(tmp_path, archives, release=release)


def test_killed_while_downloading(release, archives, tmp_path):
    part = tmp_path / f"downloads/{release.voc2012.name}.part"
    half = release.voc2012.size // 2
    with serving(archives) as server:
        served = server.serve(release)
        server.cuts, server.hold = [half], PROCESSES.Event()
        kill_when(lambda: part.is_file() and part.stat().st_size == half, prepare, tmp_path, None, served, 1)
        server.hold.set()
        assert prepare_voc(tmp_path, release=served)
        asked = [headers.get("Range") for path, headers in server.requests if path.endswith(release.voc2012.name)]
    assert asked == [None, f"bytes={half}-"]
    assert (tmp_path / "downloads" / part.stem).read_bytes() == (archives / release.voc2012.name).read_bytes()
    assert_complete(tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_while_converting(tmp_path, workers, offline):
    release = make_archives(tmp_path / "archives", more=300)
    root, out = tmp_path / "root", tmp_path / "root/VOC2012/SegmentationClassSBD"
    kill_when(lambda: any(out.glob("*.png")), prepare, root, tmp_path / "archives", release, workers)
    converted = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert 0 < len(converted) < release.counts["sbd_train"]
    for path in converted:
        assert Image.open(path).size == (48, 40) and np.array(Image.open(path)).max() <= 20  # whole

    (tmp_path / "archives").rename(tmp_path / "gone")  # all is unpacked
    assert prepare_voc(root, workers=2, release=release)
    assert check_voc(root, release=release) == []
    found = labels(root, "SegmentationClassSBD")
    assert len(found) == release.counts["sbd_train"] + release.counts["sbd_val"]
    assert all(np.array_equal(label, sbd_label(name)) for name, label in found.items())
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in converted.items())
    assert not list(root.rglob("*.part")) and not (root / "SBD.unpacked").exists()
