"""CamVid from the release's layout to VOC layout, and the dataset that reads it."""

from pathlib import Path

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image
from testing.small_release import kill_when

from fcn_plugin.datasets import CamVidDataset
from fcn_plugin.datasets.preparation import check_camvid, prepare_camvid
from fcn_plugin.datasets.preparation.prepare_camvid import CamVidRelease

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


def times(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.rglob("*.*")}


def test_again_and_after_a_loss(source, tmp_path):
    root = tmp_path / "camvid"
    assert prepare_camvid(source, root, release=RELEASE)
    before = times(root)
    assert not prepare_camvid(source, root, release=RELEASE) and times(root) == before
    lost = [root / "SegmentationClass/d_03.png", root / "JPEGImages/c_02.png", root / "ImageSets/Segmentation/val.txt"]
    for path in lost:
        path.unlink()
    problems = check_camvid(root, RELEASE)
    assert len(problems) == 2 and "val.txt is missing" in problems[0] and "c_02.png" in problems[1]
    assert prepare_camvid(source, root, release=RELEASE) and check_camvid(root, RELEASE) == []
    kept = {path for path in before if path not in lost and path.stem not in ("d_03", "c_02")}
    assert len(kept) == 10 and all(times(root)[path] == before[path] for path in kept)


def test_killed(tmp_path):
    names = dict(train=[f"frame_{i:04d}" for i in range(600)])
    source, root = make(tmp_path / "CamVid", names), tmp_path / "camvid"
    release, images = CamVidRelease(counts=dict(train=600), size=RELEASE.size), root / "JPEGImages"
    kill_when(lambda: any(images.glob("*.png")), prepare_camvid, source, root, release=release)
    done = times(images)
    assert 0 < len(done) < 600
    assert prepare_camvid(source, root, release=release) and check_camvid(root, release) == []
    # but for a frame whose image was there and its label not
    assert sum(times(root).get(path) == written for path, written in done.items()) >= len(done) - 1
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
@pytest.mark.parametrize("workers", [1, 2])
def test_wrong_release(source, tmp_path, change, error, message, workers):
    train, frame, annotation = source / "train.txt", source / "train/a_00.png", source / "trainannot/a_00.png"
    lines = train.read_text().splitlines(keepends=True)
    changes = {
        "no list": lambda: (source / "val.txt").unlink(),
        "no frame": frame.unlink,
        "no label": annotation.unlink,
        "half a line": lambda: train.write_text("/SegNet/CamVid/train/x.png\n"),
        "short list": lambda: train.write_text("".join(lines[1:])),
        "overlap": lambda: (source / "val.txt").write_text("".join(lines[:2])),
        "size": lambda: Image.new("L", (8, 12)).save(frame),
        "label size": lambda: Image.new("L", (8, 12)).save(annotation),
        "value": lambda: Image.fromarray(label(0) + np.uint8(1)).save(annotation),
        "colour": lambda: Image.new("RGB", (12, 8)).save(annotation),
    }
    changes[change]()
    root = tmp_path / "camvid"
    with pytest.raises(error, match=message):
        prepare_camvid(source, root, release=RELEASE, workers=workers)
    assert not (root / "SegmentationClass/a_00.png").exists() and not (root / "ImageSets").exists()


@pytest.mark.parametrize("suffix, options", [(".png", {}), (".jpg", {}), (".jpg", dict(img_suffix=".jpg"))])
def test_dataset_finds_its_images(source, tmp_path, suffix, options):
    root = tmp_path / "camvid"
    prepare_camvid(source, root, release=RELEASE)
    for path in (root / "JPEGImages").iterdir():
        path.rename(path.with_suffix(suffix))
    dataset = DATASETS.build(
        dict(
            type="CamVidDataset",
            data_root=str(root),
            data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
            ann_file="ImageSets/Segmentation/train.txt",
            pipeline=[dict(type="LoadImageFromFile"), dict(type="mmseg.LoadAnnotations")],
            **options,
        )
    )
    assert len(dataset) == 3 and dataset.img_suffix == suffix
    for i, name in enumerate(NAMES["train"]):
        sample = dataset[i]
        assert Path(sample["img_path"]).name == name + suffix
        assert np.array_equal(sample["gt_seg_map"], np.where(label(i) == 11, 255, label(i)))
        assert np.array_equal(sample["img"], np.array(Image.open(source / f"train/{name}.png"))[..., ::-1])
