import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric
from PIL import Image

from fcn_plugin.visualization import side_by_side
from fcn_plugin.visualization.side_by_side import (
    class_ious,
    draw_row,
    draw_rows,
    iou_table,
    mean_iou,
    paint,
    read_indices,
)

PALETTE = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]


@pytest.fixture
def folders(tmp_path):
    """Two pictures of 2x3 pixels, worked out by hand in the tests."""
    contents = dict(
        label=dict(a=[[0, 0, 1], [1, 255, 2]], b=[[2, 2, 2], [0, 255, 255]]),
        model=dict(a=[[0, 1, 1], [1, 2, 2]], b=[[2, 0, 2], [0, 3, 1]]),
        truth=dict(a=[[0, 0, 1], [1, 0, 2]], b=[[2, 2, 2], [0, 0, 0]]),
    )
    for folder, pictures in contents.items():
        (tmp_path / folder).mkdir()
        for name, values in pictures.items():
            Image.fromarray(np.array(values, np.uint8)).save(tmp_path / folder / f"{name}.png")
    return tmp_path


def test_ious_by_hand(folders):
    ious = class_ious(folders / "model", folders / "label", ["a", "b"], 4)
    # class 0: label a 2, b 1; predicted a 1, b 2; common 1 + 1 -> 2 / 4.  class 1: label 2, predicted 3, common 2.
    # class 2: label 1 + 3, predicted 1 + 2 (ignored pixels left out), common 1 + 2.  class 3: in neither.
    assert ious[:3] == pytest.approx([2 / 4, 2 / 3, 3 / 4])
    assert np.isnan(ious[3])
    assert mean_iou(ious) == pytest.approx((2 / 4 + 2 / 3 + 3 / 4) / 3)


def test_only_the_named_pictures_count(folders):
    assert class_ious(folders / "model", folders / "label", ["a"], 3) == pytest.approx([1 / 2, 2 / 3, 1])


def test_perfect_predictions_have_iou_1(folders):
    assert class_ious(folders / "truth", folders / "label", ["a", "b"], 3) == pytest.approx([1, 1, 1])


def test_large_areas_are_counted_exactly(folders, monkeypatch):
    areas = iter([(2.0**24, 2.0**24)] + 4 * [(1.0, 2.0)])  # in float32, 2**24 + 1 is 2**24

    def fake(*_):
        common, union = next(areas)
        return tuple(torch.tensor([value]) for value in (common, union, common, union))

    monkeypatch.setattr(IoUMetric, "intersect_and_union", fake)
    ious = class_ious(folders / "model", folders / "label", ["a"] * 5, 4)
    assert ious[0] == (2**24 + 4) / (2**24 + 8)


def test_table(folders):
    ious = {"FCN-32s": np.array([0.5, 2 / 3, np.nan]), "FCN-8s": np.array([1.0, 0.75, np.nan])}
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in iou_table(ious, "abc").splitlines()]
    assert [row for row in rows if row] == [
        ["IoU in %", "FCN-32s", "FCN-8s"],
        ["a", "50.0", "100.0"],
        ["b", "66.7", "75.0"],
        ["c", "-", "-"],
        ["mIoU", "58.3", "87.5"],
    ]


def test_paint():
    colours = paint(np.array([[0, 1], [3, 255]], np.uint8), PALETTE)
    assert colours.dtype == np.uint8
    assert colours.tolist() == [[[0, 0, 0], [128, 0, 0]], [[128, 128, 0], [255, 255, 255]]]


def test_row_of_pictures(tmp_path):
    image = np.full((64, 80, 3), (10, 200, 30), np.uint8)
    truth = np.full((64, 80), 1, np.uint8)
    prediction = np.full((64, 80), 2, np.uint8)
    draw_row(tmp_path / "row.png", image, {"truth": truth, "FCN-8s": prediction}, "abcd", PALETTE)
    with Image.open(tmp_path / "row.png") as picture:
        pixels = np.array(picture.convert("RGB")).astype(int)
    columns = []
    for colour in ((10, 200, 30), (128, 0, 0), (0, 128, 0)):  # image, truth, prediction from left to right
        found = (pixels == colour).all(axis=2)
        assert found.sum() > 10_000
        columns.append(np.median(np.nonzero(found)[1]) / pixels.shape[1])
    assert columns == pytest.approx([1 / 6, 3 / 6, 5 / 6], abs=0.02)


def test_rows_of_the_named_pictures(folders, monkeypatch):
    (folders / "SegmentationClass").symlink_to(folders / "label")
    (folders / "JPEGImages").mkdir()
    for name, colour in dict(a=(250, 0, 0), b=(0, 0, 250)).items():
        Image.new("RGB", (3, 2), colour).save(folders / "JPEGImages" / f"{name}.jpg")
    drawn = {}
    monkeypatch.setattr(side_by_side, "draw_row", lambda file, *row: drawn.update({file: row}))
    draw_rows(folders / "out", folders, {"FCN-8s": folders / "model"}, ["b"], "abcd", PALETTE)
    assert list(drawn) == [folders / "out" / "b.png"] and (folders / "out").is_dir()
    image, indices, classes, palette = drawn[folders / "out" / "b.png"]
    assert image.shape == (2, 3, 3) and image[0, 0, 2] > 200 > image[0, 0, 0]
    assert {caption: values.tolist() for caption, values in indices.items()} == {
        "truth": [[2, 2, 2], [0, 255, 255]],
        "FCN-8s": [[2, 0, 2], [0, 3, 1]],
    }
    assert (classes, palette) == ("abcd", PALETTE)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(names=[]), ValueError, "no names"),
        (dict(names=["missing"]), FileNotFoundError, "missing.png"),
        (dict(num_classes=2), ValueError, "a: index 2 in the prediction, expected 2 classes"),
    ],
)
def test_wrong_input(folders, change, error, message):
    arguments = {
        **dict(prediction_dir=folders / "model", label_dir=folders / "label", names=["a"], num_classes=4),
        **change,
    }
    with pytest.raises(error, match=message):
        class_ious(**arguments)


def test_labels_beyond_the_classes_are_refused(folders):
    Image.fromarray(np.full((2, 3), 9, np.uint8)).save(folders / "label" / "a.png")
    with pytest.raises(ValueError, match="a: index 9 in the label, expected 4 classes"):
        class_ious(folders / "model", folders / "label", ["a"], 4)


def test_sizes_must_agree(folders):
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(folders / "model" / "a.png")
    with pytest.raises(ValueError, match=r"a: the prediction has \(3, 3\) pixels, the label \(2, 3\)"):
        class_ious(folders / "model", folders / "label", ["a"], 4)


def test_colour_pictures_are_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    with pytest.raises(ValueError, match="mode RGB, expected class indices"):
        read_indices(tmp_path / "colour.png")


def test_a_table_needs_one_iou_per_class():
    with pytest.raises(ValueError, match="FCN-8s has IoUs of 2 classes, expected 3"):
        iou_table({"FCN-8s": np.ones(2)}, "abc")
