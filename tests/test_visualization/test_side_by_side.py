import numpy as np
import pytest
from PIL import Image
from testing.three_pictures import CLASSES, PALETTE

from fcn_plugin.visualization.side_by_side import iou_table, row_figure


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
