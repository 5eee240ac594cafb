import numpy as np
import pytest
from PIL import Image
from testing.three_pictures import CLASSES, PALETTE, write_indices

from fcn_plugin.visualization.side_by_side import class_ious, draw_rows, iou_table, mean_iou, row_figure


@pytest.mark.parametrize(
    "model, names, expected",
    [
        # class 0: label a 2, b 1; predicted a 1, b 2; common 1 + 1 -> 2 / 4.  class 1: label 2, predicted 3, common 2.
        # class 2: label 1 + 3, predicted 1 + 2 (ignored pixels left out), common 1 + 2.  class 3: in neither.
        ("model", ["a", "b"], [2 / 4, 2 / 3, 3 / 4, np.nan]),
        ("model", ["a"], [1 / 2, 2 / 3, 1, np.nan]),
        ("truth", ["a", "b"], [1, 1, 1, np.nan]),
    ],
)
def test_ious_by_hand(root, model, names, expected):
    ious = class_ious(root / model, root / "SegmentationClass", names, 4)
    assert ious == pytest.approx(expected, nan_ok=True)
    assert mean_iou(ious) == pytest.approx(sum(expected[:3]) / 3)


def test_table():
    ious = {"FCN-32s": np.array([0.5, 2 / 3, np.nan]), "FCN-8s": np.array([1.0, 0.75, np.nan])}
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in iou_table(ious, "abc").splitlines()]
    assert [row for row in rows if row] == [
        ["IoU in %", "FCN-32s", "FCN-8s"],
        ["a", "50.0", "100.0"],
        ["b", "66.7", "75.0"],
        ["c", "-", "-"],
        ["mIoU", "58.3", "87.5"],
    ]
    with pytest.raises(ValueError, match="FCN-8s has IoUs of 2 classes, expected 3"):
        iou_table({"FCN-8s": np.ones(2)}, "abc")


def test_row_of_pictures(tmp_path):
    image = np.full((64, 80, 3), (10, 200, 30), np.uint8)
    row = {"truth": np.full((64, 80), 1, np.uint8), "FCN-8s": np.full((64, 80), 2, np.uint8)}
    row_figure(image, row, CLASSES, PALETTE).savefig(tmp_path / "row.png")
    with Image.open(tmp_path / "row.png") as picture:
        pixels = np.array(picture.convert("RGB")).astype(int)
    columns = []
    for colour in ((10, 200, 30), (128, 0, 0), (0, 128, 0)):  # image, truth, prediction from left to right
        found = (pixels == colour).all(axis=2)
        assert found.sum() > 8_000
        columns.append(np.median(np.nonzero(found)[1]) / pixels.shape[1])
    assert columns == pytest.approx([1 / 6, 3 / 6, 5 / 6], abs=0.02)


def test_rows_of_the_named_pictures(root):
    draw_rows(root / "out", root, {"FCN-8s": root / "model"}, ["b"], CLASSES, PALETTE)
    assert [file.name for file in (root / "out").iterdir()] == ["b.png"]
    with Image.open(root / "out/b.png") as picture:
        pixels = np.array(picture.convert("RGB")).astype(int)
    blue, sky, car = ((np.abs(pixels - colour) < 9).all(-1).sum() for colour in ((0, 0, 250), PALETTE[0], PALETTE[3]))
    # all six pixels of the image; class 0 in one of the truth and two of the prediction, class 3 in one
    assert blue > 10_000 and sky / blue == pytest.approx(3 / 6, abs=0.1) and car / blue == pytest.approx(1 / 6, abs=0.1)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(names=[]), ValueError, "no names"),
        (dict(names=["missing"]), FileNotFoundError, "missing.png"),
        (dict(num_classes=2), ValueError, "a: index 2 in the label, but the data set has 2 classes"),
    ],
)
def test_wrong_input(root, change, error, message):
    arguments = dict(prediction_dir=root / "model", label_dir=root / "SegmentationClass", names=["a"], num_classes=4)
    with pytest.raises(error, match=message):
        class_ious(**{**arguments, **change})


def test_sizes_must_agree(root):
    write_indices(root / "model/a.png", np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"a: the prediction has \(3, 3\) pixels, the label \(2, 3\)"):
        class_ious(root / "model", root / "SegmentationClass", ["a"], 4)
