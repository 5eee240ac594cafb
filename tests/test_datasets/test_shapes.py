import hashlib
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from mmseg.utils import get_palette
from PIL import Image
from testing.utils import ROOT

from fcn_plugin.datasets import ShapesDataset, shapes_generator
from fcn_plugin.datasets.preparation.lists import read_list
from fcn_plugin.datasets.shapes_generator import CLASSES, SHAPES, draw_image, voc_palette, write_shapes

SIZE = (96, 80)


def digest(root: Path) -> dict[str, str]:
    return {
        str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in root.rglob("*") if f.is_file()
    }


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("shapes") / "set"
    assert write_shapes(root, 5, 3, SIZE, seed=7)
    return root


def test_the_arguments_decide_the_bytes(shapes, tmp_path):
    first = digest(shapes)
    assert len(first) == 8 + 8 + 3
    write_shapes(tmp_path / "again", 5, 3, SIZE, seed=7)
    assert digest(tmp_path / "again") == first
    pictures = {file: content for file, content in first.items() if file.endswith(".jpg")}
    assert len(set(pictures.values())) == 8  # no two alike, over both splits
    write_shapes(tmp_path / "other", 5, 3, SIZE, seed=8)
    assert not set(digest(tmp_path / "other").values()) & set(pictures.values())
    write_shapes(tmp_path / "longer", 6, 3, SIZE, seed=7)  # begins with the shorter one
    longer = digest(tmp_path / "longer")
    assert all(longer[file] == content for file, content in first.items() if not file.endswith(".txt"))


def test_files(shapes):
    """The lists name the files, which are JPEGs, and palette PNGs of the classes and the border."""
    lists = {path.stem: read_list(path) for path in (shapes / "ImageSets/Segmentation").iterdir()}
    assert [len(lists[split]) for split in ("train", "val")] == [5, 3] and lists.keys() == {"train", "val", "trainval"}
    assert lists["trainval"] == lists["train"] + lists["val"] and len(set(lists["trainval"])) == 8
    assert sorted(path.name for path in shapes.iterdir()) == ["ImageSets", "JPEGImages", "SegmentationClass"]
    for folder, suffix in (("JPEGImages", ".jpg"), ("SegmentationClass", ".png")):
        assert {path.name for path in (shapes / folder).iterdir()} == {f"{name}{suffix}" for name in lists["trainval"]}
    seen = set()
    for name in lists["trainval"]:
        with Image.open(shapes / f"SegmentationClass/{name}.png") as label:
            assert (label.mode, label.size) == ("P", SIZE)
            assert np.array_equal(np.array(label.getpalette()).reshape(-1, 3), voc_palette())
            values = set(np.unique(label).tolist())
        with Image.open(shapes / f"JPEGImages/{name}.jpg") as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", SIZE)
        assert 255 in values
        seen |= values
    assert seen == {*range(len(CLASSES)), 255}


def test_the_palette_is_that_of_voc():
    palette = voc_palette()
    assert palette[:21].tolist() == get_palette("voc")
    assert palette[255].tolist() == [224, 224, 192]
    assert palette[: len(CLASSES)].tolist() == ShapesDataset.METAINFO["palette"]


@pytest.mark.parametrize("seed", range(6))
def test_every_object_has_a_border(seed):
    label = draw_image(np.random.default_rng(seed), 160, 128)[1].astype(int)
    pairs = [
        (label[:, :-1], label[:, 1:]),
        (label[:-1], label[1:]),
        (label[:-1, :-1], label[1:, 1:]),
        (label[:-1, 1:], label[1:, :-1]),
    ]
    assert (label == 255).any()
    for one, other in pairs:  # where classes meet, the border lies between
        assert ((one == other) | (one == 255) | (other == 255)).all()


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_has_its_size_and_its_distances_change_by_1_a_pixel_at_most(name):
    r = 30
    y, x = np.mgrid[-40:41, -40:41].astype(float)
    distance = SHAPES[name](x, y, r, 0.5)
    area = (distance < 0).sum()
    expected = dict(  # half thickness of ring and cross at part=0.5: 0.16 r and 0.21 r
        disc=np.pi * r**2,
        ring=np.pi * (r**2 - (0.68 * r) ** 2),
        square=(1.6 * r) ** 2,
        triangle=3 * 3**0.5 * (0.58 * r) ** 2,
        cross=2 * (2 * r) * (0.42 * r) - (0.42 * r) ** 2,
    )
    assert area == pytest.approx(expected[name], rel=0.06)
    steps = max(np.abs(np.diff(distance, axis=axis)).max() for axis in (0, 1))
    assert steps <= 1 + 1e-9


class OneKind(np.random.Generator):
    """Draws the same numbers, but all objects are of one class."""

    kind: int

    def integers(self, *args, **kwargs):
        value = super().integers(*args, **kwargs)
        return self.kind if args == (1, len(CLASSES)) else value


def test_only_the_form_tells_the_class(monkeypatch):
    monkeypatch.setattr(shapes_generator, "SHAPES", dict.fromkeys(SHAPES, SHAPES["disc"]))
    pictures = []
    for kind in (1, 4):
        rng = OneKind(np.random.PCG64(3))
        rng.kind = kind
        image, label = draw_image(rng, 96, 80)
        assert set(np.unique(label)) == {0, kind, 255}
        pictures.append(image)
    assert np.array_equal(*pictures)


def test_an_empty_directory_is_filled_and_the_same_set_left_alone(tmp_path):
    assert write_shapes(tmp_path, 1, 1, SIZE) is True
    before = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*")}
    assert write_shapes(tmp_path, 1, 1, SIZE) is False
    assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*")} == before and len(digest(tmp_path)) == 7


@pytest.mark.parametrize("change, seed", [("", 1), ("ImageSets/Segmentation/val.txt", 0), ("note.txt", 0)])
def test_other_contents_are_refused_and_kept(tmp_path, change, seed):
    root = tmp_path / "set"
    write_shapes(root, 1, 1, SIZE)
    if change:
        (root / change).write_text("mine")
    before = digest(root)
    with pytest.raises(FileExistsError, match="exists with other contents: remove it"):
        write_shapes(root, 1, 1, SIZE, seed=seed)
    assert digest(root) == before and list(tmp_path.iterdir()) == [root]
    with pytest.raises(FileExistsError, match="is a file"):
        write_shapes(root / "ImageSets/Segmentation/val.txt", 1, 1, SIZE)


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(rng, *size):
        raise KeyboardInterrupt

    monkeypatch.setattr(shapes_generator, "draw_image", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_shapes(tmp_path / "set", 1, 1, SIZE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(num_train=0), "at least 1 image each, got 0 and 1"),
        (dict(num_val=-2), "at least 1 image each, got 1 and -2"),
        (dict(size=(63, 64)), "at least 64x64 pixels, got 63x64"),
        (dict(seed=-1), "seed must be >= 0, got -1"),
    ],
)
def test_wrong_arguments(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        write_shapes(tmp_path / "set", **{**dict(num_train=1, num_val=1), **options})
    assert list(tmp_path.iterdir()) == []


def test_the_tool(tmp_path, monkeypatch, capsys):
    def call(*arguments: object) -> str:
        options = ["--val", 1, "--size", *SIZE, "--seed", 4, *arguments]
        monkeypatch.setattr(sys, "argv", ["make_shapes.py", *map(str, [tmp_path / "set", *options])])
        runpy.run_path(str(ROOT / "tools/make_shapes.py"), run_name="__main__")
        return capsys.readouterr().out

    assert f"Wrote 2 training and 1 validation images to {tmp_path / 'set'}." in call("--train", 2)
    assert "Nothing to do" in call("--train", 2)
    write_shapes(tmp_path / "same", 2, 1, SIZE, seed=4)
    assert digest(tmp_path / "set") == digest(tmp_path / "same")
    with pytest.raises(SystemExit, match="error: train and val need at least 1 image each, got 0 and 1"):
        call("--train", 0)
