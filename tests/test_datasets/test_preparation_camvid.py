"""CamVid from the release's layout to VOC layout, and the dataset that reads it."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image
from testing.utils import PROCESSES

from fcn_plugin.datasets import CamVidDataset
from fcn_plugin.datasets.preparation import check_camvid, prepare_camvid
from fcn_plugin.datasets.preparation.prepare_camvid import CAMVID_RELEASE, CamVidRelease

RELEASE = CamVidRelease(counts=dict(train=3, val=2, test=1), size=(12, 8))
NAMES = dict(train=["c_02", "a_00", "b_01"], val=["e_04", "d_03"], test=["f_05"])


def make(source: Path, names: dict[str, list[str]] = NAMES) -> Path:
    """The release in miniature: every class and void (11) in each label."""
    for split, entries in names.items():
        for folder in (split, f"{split}annot"):
            (source / folder).mkdir(parents=True)
        for i, name in enumerate(entries):
            rng = np.random.default_rng(i)
            Image.fromarray(rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)).save(source / f"{split}/{name}.png")
            Image.fromarray(label(i)).save(source / f"{split}annot/{name}.png")
        lines = (f"/SegNet/CamVid/{split}/{name}.png /SegNet/CamVid/{split}annot/{name}.png\n" for name in entries)
        (source / f"{split}.txt").write_text("".join(lines))
    return source


def label(i: int) -> np.ndarray:
    return np.roll(np.repeat(np.arange(12, dtype=np.uint8), 8), 5 * i).reshape(8, 12)


@pytest.fixture
def source(tmp_path) -> Path:
    return make(tmp_path / "CamVid")


@pytest.mark.parametrize("workers", [1, 2])
def test_whole(source, tmp_path, workers):
    root = tmp_path / "data/camvid"
    assert prepare_camvid(source, root, workers=workers, release=RELEASE)
    assert check_camvid(root, RELEASE) == []
    for split, names in NAMES.items():
        assert (root / f"ImageSets/Segmentation/{split}.txt").read_text().split() == names  # in the release's order
        for i, name in enumerate(names):
            image = (root / f"JPEGImages/{name}.png").read_bytes()
            assert image == (source / f"{split}/{name}.png").read_bytes()
            png = Image.open(root / f"SegmentationClass/{name}.png")
            assert png.mode == "P" and np.array_equal(png, np.where(label(i) == 11, 255, label(i)))
            palette = np.array(png.getpalette("RGB")).reshape(-1, 3)
            assert palette[:11].tolist() == CamVidDataset.METAINFO["palette"] and palette[255].tolist() == [0, 0, 0]
    assert {path.name for path in root.iterdir()} == {"ImageSets", "JPEGImages", "SegmentationClass"}
    assert len(list(root.rglob("*.*"))) == 6 + 6 + 3


def test_again_and_after_a_loss(source, tmp_path):
    root = tmp_path / "camvid"
    assert prepare_camvid(source, root, release=RELEASE)
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*.*")}
    assert not prepare_camvid(source, root, release=RELEASE)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.*")} == times
    lost = [root / "SegmentationClass/d_03.png", root / "JPEGImages/c_02.png", root / "ImageSets/Segmentation/val.txt"]
    for path in lost:
        path.unlink()
    problems = check_camvid(root, RELEASE)
    assert len(problems) == 2 and "val.txt is missing" in problems[0] and "c_02.png" in problems[1]
    assert prepare_camvid(source, root, release=RELEASE) and check_camvid(root, RELEASE) == []
    kept = {path for path in times if path not in lost and path.stem not in ("d_03", "c_02")}
    assert len(kept) == 10 and all(path.stat().st_mtime_ns == times[path] for path in kept)


def _prepare(source: str, root: str, release: CamVidRelease) -> None:
    prepare_camvid(source, root, release=release)


def test_killed(tmp_path):
    names = dict(train=[f"frame_{i:04d}" for i in range(600)])
    source, root = make(tmp_path / "CamVid", names), tmp_path / "camvid"
    release = CamVidRelease(counts=dict(train=600), size=RELEASE.size)
    process = PROCESSES.Process(target=_prepare, args=(str(source), str(root), release))
    process.start()
    end = time.monotonic() + 60
    while not (root / "JPEGImages").is_dir() or not any((root / "JPEGImages").glob("*.png")):
        assert process.is_alive() and time.monotonic() < end
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    done = {path: path.stat().st_mtime_ns for path in (root / "JPEGImages").glob("*.png")}
    assert 0 < len(done) < 600
    assert prepare_camvid(source, root, release=release) and check_camvid(root, release) == []
    again = [path for path, written in done.items() if path.stat().st_mtime_ns != written]
    assert len(again) <= 1  # a frame whose image was there and its label not
    assert not list(root.rglob(".*"))


@pytest.mark.parametrize(
    "change, error, message",
    [
        ("no list", FileNotFoundError, "there is no .*val.txt: give the folder CamVid of the SegNet tutorial"),
        ("no frame", FileNotFoundError, "there is no .*/train/a_00.png, which is in train.txt"),
        ("no label", FileNotFoundError, "there is no .*/trainannot/a_00.png, which is in train.txt"),
        ("half a line", ValueError, "train.txt has the line '/SegNet/CamVid/train/x.png': expected an image and its"),
        ("short list", ValueError, "CamVid: train.txt has 2 names, expected 3"),
        ("overlap", ValueError, "CamVid: train.txt and val.txt overlap: a_00, c_02"),
        ("size", ValueError, r"train/a_00.png is \(8, 12\) pixels large, expected \(12, 8\)"),
        ("label size", ValueError, r"trainannot/a_00.png is \(8, 12\) pixels large, expected \(12, 8\)"),
        ("value", ValueError, "trainannot/a_00.png is no label: uint8 .*, values up to 12"),
        ("colour", ValueError, r"trainannot/a_00.png is no label: uint8 \(8, 12, 3\)"),
    ],
)
def test_wrong_release(source, tmp_path, change, error, message):
    lists = source / "train.txt"
    if change == "no list":
        (source / "val.txt").unlink()
    elif change in ("no frame", "no label"):
        (source / f"train{'annot' if change == 'no label' else ''}/a_00.png").unlink()
    elif change == "half a line":
        lists.write_text("/SegNet/CamVid/train/x.png\n")
    elif change == "short list":
        lists.write_text("".join(lists.read_text().splitlines(keepends=True)[1:]))
    elif change == "overlap":
        (source / "val.txt").write_text("".join(lists.read_text().splitlines(keepends=True)[:2]))
    elif change in ("size", "label size"):
        Image.new("L", (8, 12)).save(source / f"train{'annot' if change == 'label size' else ''}/a_00.png")
    elif change == "value":
        Image.fromarray(label(0) + np.uint8(1)).save(source / "trainannot/a_00.png")
    else:
        Image.new("RGB", (12, 8)).save(source / "trainannot/a_00.png")
    root = tmp_path / "camvid"
    with pytest.raises(error, match=message):
        prepare_camvid(source, root, release=RELEASE)
    assert not (root / "SegmentationClass/a_00.png").exists()
    assert not (root / "ImageSets").exists()


def test_wrong_arguments(source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file is a file: give a directory"):
        prepare_camvid(source, tmp_path / "file", release=RELEASE)
    with pytest.raises(ValueError, match="expected 1 worker or more, got 0"):
        prepare_camvid(source, tmp_path / "camvid", workers=0, release=RELEASE)


def test_the_release():
    assert CAMVID_RELEASE.counts == dict(train=367, val=101, test=233) and CAMVID_RELEASE.size == (480, 360)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("given", [True, False])
def test_dataset_finds_its_images(source, tmp_path, suffix, given):
    root = tmp_path / "camvid"
    prepare_camvid(source, root, release=RELEASE)
    if suffix == ".jpg":
        for path in (root / "JPEGImages").iterdir():
            path.rename(path.with_suffix(suffix))
    dataset = DATASETS.build(
        dict(
            type="CamVidDataset",
            data_root=str(root),
            data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
            ann_file="ImageSets/Segmentation/train.txt",
            pipeline=[dict(type="LoadImageFromFile"), dict(type="mmseg.LoadAnnotations")],
            **(dict(img_suffix=suffix) if given else {}),
        )
    )
    assert len(dataset) == 3 and dataset.img_suffix == suffix
    for i, name in enumerate(NAMES["train"]):
        sample = dataset[i]
        assert Path(sample["img_path"]).name == name + suffix
        assert np.array_equal(sample["gt_seg_map"], np.where(label(i) == 11, 255, label(i)))
        image = np.array(Image.open(source / f"train/{name}.png"))
        assert np.array_equal(sample["img"], image[..., ::-1])
