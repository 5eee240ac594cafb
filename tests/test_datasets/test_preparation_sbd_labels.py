"""SBD's labels as PNGs, and the dataset that reads them."""

import numpy as np
import pytest
from mmseg.registry import DATASETS
from mmseg.utils import get_palette
from PIL import Image
from scipy.io import savemat

from fcn_plugin.datasets.preparation import sbd_labels
from fcn_plugin.datasets.preparation.sbd_labels import convert_labels, read_label

LABEL = np.arange(21, dtype=np.uint8).reshape(3, 7)


def write(folder, name="a", label=LABEL, key="GTcls", field="Segmentation"):
    """A label of SBD and its image, 7 wide and 3 high."""
    for kind in ("cls", "img"):
        (folder / kind).mkdir(exist_ok=True)
    savemat(folder / f"cls/{name}.mat", {key: {field: label, "Boundaries": np.zeros((20, 1), object)}})
    Image.new("RGB", (7, 3)).save(folder / f"img/{name}.jpg")
    return folder / f"cls/{name}.mat"


def convert(folder, *names, workers=1):
    convert_labels(names, folder / "cls", folder / "img", folder / "out", workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_conversion(tmp_path, workers):
    labels = {name: np.roll(LABEL, i) for i, name in enumerate("abc")}
    for name, label in labels.items():
        write(tmp_path, name, label)
    convert(tmp_path, *labels, workers=workers)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png", "c.png"]
    for name, label in labels.items():
        png = Image.open(tmp_path / f"out/{name}.png")
        assert png.mode == "P" and np.array_equal(png, label)
        colours = np.array(png.convert("RGB")).reshape(-1, 3)
        assert np.array_equal(colours, np.array(get_palette("voc"))[label.ravel()])


def test_what_is_there_is_kept(tmp_path, monkeypatch):
    write(tmp_path, "a")
    write(tmp_path, "b")
    convert(tmp_path, "a")
    monkeypatch.setattr(sbd_labels, "read_label", lambda path: {"b": LABEL}[path.stem])  # a is not read again
    convert(tmp_path, "a", "b")
    convert(tmp_path, "a", "b")
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(key="GTinst"), "a.mat is not a label of SBD: 'GTcls'"),
        (dict(field="Boundary"), "a.mat is not a label of SBD: "),
        (dict(label=LABEL + np.uint8(1)), r"a.mat is not a label of SBD: uint8 \(3, 7\), values up to 21"),
        (dict(label=LABEL.astype(float)), "a.mat is not a label of SBD: float64"),
        (dict(label=LABEL.T.copy()), r"a.mat is \(3, 7\), but its image \(7, 3\) pixels large"),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_wrong_label(tmp_path, options, message, workers):
    write(tmp_path, "b")
    write(tmp_path, **options)
    with pytest.raises(ValueError, match=message):
        convert(tmp_path, "b", "a", workers=workers)
    assert not (tmp_path / "out/a.png").exists()


def test_damaged_file(tmp_path):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(ValueError, match="a.mat is not a label of SBD"):
        read_label(path)


@pytest.mark.parametrize("folder", ["SegmentationClassSBD", "mine"])
def test_dataset(tmp_path, folder):
    write(tmp_path)
    convert(tmp_path, "a")
    (tmp_path / "img").rename(tmp_path / "JPEGImages")
    (tmp_path / "out").rename(tmp_path / folder)
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/sbd_train.txt").write_text("a\n")
    options = {} if folder == "SegmentationClassSBD" else dict(data_prefix=dict(seg_map_path=folder))
    pipeline = [dict(type="LoadImageFromFile"), dict(type="mmseg.LoadAnnotations")]
    dataset = DATASETS.build(dict(type="SBDDataset", data_root=str(tmp_path), pipeline=pipeline, **options))
    assert len(dataset) == 1 and np.array_equal(dataset[0]["gt_seg_map"], LABEL)
    assert dataset[0]["img"].shape == (3, 7, 3)
    assert dataset.metainfo["classes"][15] == "person" and dataset.metainfo["palette"] == get_palette("voc")
