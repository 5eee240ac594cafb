"""SBD's labels as PNGs, and the dataset that reads them."""

import numpy as np
import pytest
from mmseg.registry import DATASETS
from mmseg.utils import get_palette
from PIL import Image
from scipy.io import savemat

from fcn_plugin.datasets.preparation.sbd_labels import convert_label

LABEL = np.arange(21, dtype=np.uint8).reshape(3, 7)


def convert(folder, label=LABEL, key="GTcls", field="Segmentation", cut=None):
    """Write a label of SBD, and its image 7 wide and 3 high, and convert it."""
    mat = folder / "a.mat"
    savemat(mat, {key: {field: label, "Boundaries": np.zeros((20, 1), object)}})
    mat.write_bytes(mat.read_bytes()[:cut])
    for name in ("JPEGImages", "SegmentationClassSBD"):
        (folder / name).mkdir()
    Image.new("RGB", (7, 3)).save(folder / "JPEGImages/a.jpg")
    convert_label("a", folder, folder / "JPEGImages", folder / "SegmentationClassSBD")
    return Image.open(folder / "SegmentationClassSBD/a.png")


def test_conversion(tmp_path):
    label = np.roll(LABEL, 5)
    png = convert(tmp_path, label)
    assert png.mode == "P" and np.array_equal(png, label)
    assert np.array_equal(np.array(png.convert("RGB")), np.array(get_palette("voc"))[label])
    assert len(list((tmp_path / "SegmentationClassSBD").iterdir())) == 1


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(key="GTinst"), "a.mat is no label: 'GTcls'"),
        (dict(field="Boundary"), "a.mat is no label: "),
        (dict(cut=150), "a.mat is no label: "),
        (dict(label=LABEL + np.uint8(1)), r"a.mat is no label: uint8 \(3, 7\), values up to 21"),
        (dict(label=LABEL.astype(float)), "a.mat is no label: float64"),
        (dict(label=LABEL.T.copy()), r"a.mat is \(3, 7\) pixels large, expected \(7, 3\)"),
    ],
)
def test_wrong_label(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        convert(tmp_path, **options)
    assert not list((tmp_path / "SegmentationClassSBD").iterdir())


@pytest.mark.parametrize("folder", ["SegmentationClassSBD", "mine"])
def test_dataset(tmp_path, folder):
    convert(tmp_path)
    (tmp_path / "SegmentationClassSBD").rename(tmp_path / folder)
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/sbd_train.txt").write_text("a\n")
    options = {} if folder == "SegmentationClassSBD" else dict(data_prefix=dict(seg_map_path=folder))
    pipeline = [dict(type="LoadImageFromFile"), dict(type="mmseg.LoadAnnotations")]
    dataset = DATASETS.build(dict(type="SBDDataset", data_root=str(tmp_path), pipeline=pipeline, **options))
    assert len(dataset) == 1 and np.array_equal(dataset[0]["gt_seg_map"], LABEL)
    assert dataset[0]["img"].shape == (3, 7, 3)
    assert dataset.metainfo["classes"][15] == "person" and dataset.metainfo["palette"] == get_palette("voc")
