"""What is told of a data set as a whole: its classes, palettes and bits."""

import copy

import cv2
import numpy as np
import pytest
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmseg.registry import TRANSFORMS
from PIL import Image
from testing.utils import make_voc

from fcn_plugin import config_dir
from fcn_plugin.checks import report
from fcn_plugin.checks.data import check_samples
from fcn_plugin.datasets.shapes_generator import voc_palette
from fcn_plugin.utils.config import set_data_root

NAMES = ("train_dataloader", "val_dataloader")
CONFIG = Config.fromfile(config_dir() / "fcn32s_vgg16_voc.py")


@TRANSFORMS.register_module()
class NothingKnown(BaseTransform):
    """A step of a user's own."""

    def transform(self, results):
        return results


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("FCN_PLUGIN_CACHE", str(tmp_path / "cache"))
    return make_voc(tmp_path / "voc")


@pytest.fixture
def logged(monkeypatch):
    """All that is logged, by level."""
    texts = {0: [], 30: []}
    monkeypatch.setattr(report, "print_log", lambda text, level=0, **_: texts[level].append(text))
    return texts


def check(data, names=NAMES, change=lambda cfg: None):
    cfg = copy.deepcopy(CONFIG)
    set_data_root(cfg, str(data))
    change(cfg)
    return check_samples([cfg], names)


def change_labels(data, change):
    for path in (data / "SegmentationClass").iterdir():
        with Image.open(path) as label:
            picture = change(np.array(label))
        picture.save(path)


def test_table_and_cache(data, logged):
    """The same again, without a look at the files."""
    labels = [np.array(Image.open(data / f"SegmentationClass/image{number}.png")) for number in range(6)]
    for _ in range(2):
        check(data)
        check(data, ["test_dataloader"])
        table, summary = logged[0]
        lines = table.splitlines()
        assert len(lines) == 2 + 21 + 1 and "train, 4 labels" in lines[0] and "val, 2 labels" in lines[0]
        train = np.bincount(np.array(labels[:4]).ravel(), minlength=256)
        val = np.bincount(np.array(labels[4:]).ravel(), minlength=256)
        person = lines[2 + 15].split()
        assert person[0] == "person" and person[1] == f"{train[15]:,}" and person[3:5] == ["4", f"{val[15]:,}"]
        assert person[2] == f"{train[15] / train[:21].sum():.2%}"
        assert lines[-1].split()[-3:] == [f"{val[255]:,}", f"{val[255] / val.sum():.2%}", "2"]
        assert summary == f"test: 2 labels, {val[255] / val.sum():.1%} of the pixels ignored"
        assert logged[30] == []
        for texts in logged.values():
            texts.clear()


def test_a_step_of_the_users_own(data, logged):
    """May change the indices behind the loading, so a missing class is no error."""
    change_labels(data, lambda values: Image.fromarray(np.where(values == 7, 0, values)))
    with pytest.raises(ValueError, match="1 of 21 classes have no labelled pixel in 4 labels: car"):
        check(data)

    def add_step(cfg):
        cfg.train_dataloader.dataset.pipeline = [*cfg.train_dataloader.dataset.pipeline[:2], dict(type="NothingKnown")]

    check(data, change=add_step)
    assert logged[30][-2:] == [
        "1 of 21 classes have no labelled pixel in 4 labels: car, unless NothingKnown of the pipeline changes indices",
        "val has no labelled pixel of car",
    ]


def test_parts_of_a_training_set(data):
    """Are one set."""

    def concatenate(cfg):
        one = cfg.train_dataloader.dataset
        cfg.train_dataloader.dataset = dict(type="ConcatDataset", datasets=[one, {**one, "indices": [1]}])

    check(data, ["train_dataloader"], concatenate)


def test_a_part_of_another_kind(data, logged):
    """Is not counted."""

    def concatenate(cfg):
        one = cfg.train_dataloader.dataset
        cfg.train_dataloader.dataset = dict(type="ConcatDataset", datasets=[one, dict(type="BaseCDDataset")])

    check(data, ["train_dataloader"], concatenate)
    assert "train, 4 labels" in logged[0][0]


def test_palette_of_a_tool(data, logged):
    """Has some colours of the classes at other indices, and others: a warning."""
    palette = voc_palette()[[0, 2, 1, *range(100, 118)]]

    def show(values):
        picture = Image.fromarray(values)
        picture.putpalette(np.vstack([palette, np.full((235, 3), 77)]).astype(np.uint8).tobytes())
        return picture

    change_labels(data, show)
    check(data)
    train, val = logged[30]
    heading, *files = train.splitlines()
    assert heading == "palette labels with colours of the classes at other indices; their indices count: 4"
    assert files[0] == f"  {data}/SegmentationClass/image0.png: 1 in the colour of 2, 2 in the colour of 1"
    assert val.startswith(heading[:-1])


@pytest.mark.parametrize("order", [1, -1])
def test_palette_of_the_classes(order, data, logged):
    """Also in BGR order, and with colours for more indices."""

    def show(values):
        picture = Image.fromarray(values)
        picture.putpalette(voc_palette()[:, ::order].tobytes())
        return picture

    change_labels(data, show)
    check(data)
    assert logged[30] == []


def test_jpeg_labels(data, logged):
    """Grey JPEGs of one value do not change; others might."""
    for path in list((data / "SegmentationClass").iterdir()):
        Image.open(path).convert("P").save(path)
    label = data / "SegmentationClass/image0.png"
    Image.fromarray(np.full((40, 48), 3, np.uint8)).save(label, "JPEG")
    check(data)
    assert logged[30] == [f"labels that are JPEGs, which changes indices: save labels as PNG: 1\n  {label}"]


@pytest.mark.parametrize("grey", [False, True])
def test_twelve_bits(grey, data, logged):
    """The line that is printed loads what the file has, as 0 to 255."""
    random = np.random.default_rng(0)
    images = sorted((data / "JPEGImages").iterdir())
    for path in images[:4]:
        values = random.integers(0, 4096, (40, 48) if grey else (40, 48, 3)).astype(np.uint16)
        values[0, 0] = 4095
        path.write_bytes(cv2.imencode(".png", values)[1].tobytes())
    for _ in range(2):  # the second time from the cache
        logged[30].clear()
        check(data)
        (warning,) = logged[30]
        assert warning.startswith(
            "images of more than 8 bits, with values up to 4095, of which LoadImageFromFile keeps"
        )
        assert warning.endswith("\n".join([": 4", *(f"  {path}" for path in images[:4])]))
    lines = [line.strip().rstrip(",") for line in warning.splitlines() if line.strip().startswith("dict(type=")]
    loaders = [TRANSFORMS.build(eval(line)) for line in lines]
    results = dict(img_path=str(images[3]))
    for loader in loaders:
        results = loader(results)
    expected = np.broadcast_to(values[..., None] if grey else values, (40, 48, 3)) * (255 / 4095)
    assert results["img"].dtype == np.float32
    np.testing.assert_allclose(results["img"], expected, atol=0.05)

    def use(cfg):
        for name in NAMES:
            cfg[name].dataset.pipeline = [*map(eval, lines), *cfg[name].dataset.pipeline[1:]]

    logged[30].clear()
    check(data, change=use)
    assert logged[30] == []


def test_sixteen_bits(data, logged):
    """That are used are not mentioned."""
    path = data / "JPEGImages/image0.jpg"
    path.write_bytes(cv2.imencode(".png", np.full((40, 48), 60_000, np.uint16))[1].tobytes())
    check(data)
    assert logged[30] == []


@pytest.mark.parametrize("suffix, bits", [("tiff", 8), ("tiff", 16), ("pgm", 8), ("pgm", 16), ("png", 8)])
def test_bits_of_other_formats(suffix, bits, data, logged):
    path = data / "JPEGImages/image0.jpg"
    values = np.full((40, 48), 200, np.uint8 if bits == 8 else np.uint16)
    path.write_bytes(cv2.imencode(f".{suffix}", values)[1].tobytes())
    check(data)
    assert len(logged[30]) == (bits == 16)
    assert bits == 8 or "values up to 200," in logged[30][0]
