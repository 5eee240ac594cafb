import csv

import numpy as np
import pytest
import torch

from fcn_plugin.evaluation import FCNMetric, fcn_scores
from fcn_plugin.evaluation.confusion import confusion_matrix
from fcn_plugin.visualization.confusion import draw_confusion, row_shares, write_confusion

MATRIX = np.array([[6, 2, 0], [0, 0, 0], [1, 0, 2**31]])
CLASSES = ["sky", 'a, "b"', "cost $x$ <&>"]


def test_by_hand():
    prediction = np.array([[0, 1, 1], [1, 2, 2]], np.uint8)
    label = np.array([[0, 0, 1], [1, 255, 2]], np.uint8)
    counts = confusion_matrix(prediction, label, 4)
    assert counts.dtype == np.int64
    assert counts.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    ignored = confusion_matrix(prediction, np.where(label == 255, 1, label), 4, ignore_index=1)
    assert ignored.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_what_was_predicted_of_ignored_pixels_is_of_no_class():
    label = np.array([[255, 1]], np.uint8)
    assert confusion_matrix(np.array([[255, 1]], np.uint8), label, 2).tolist() == [[0, 0], [0, 1]]
    assert confusion_matrix(label, np.full((1, 2), 255, np.uint8), 2).sum() == 0


@pytest.mark.parametrize("num_classes", [1, 2, 21, 256])
def test_the_metric_counts_the_same(num_classes):
    random = np.random.default_rng(num_classes)
    label, prediction = random.integers(0, num_classes, (2, 50, 60), dtype=np.int64).astype(np.uint8)
    label[:9] = 255
    counts = confusion_matrix(prediction, label, num_classes)
    areas = FCNMetric.intersect_and_union(torch.from_numpy(prediction), torch.from_numpy(label), num_classes, 255)
    intersect, _, predicted, labelled = (area.numpy() for area in areas)
    assert np.array_equal(counts.diagonal(), intersect)
    assert np.array_equal(counts.sum(0), predicted) and np.array_equal(counts.sum(1), labelled)
    assert counts.sum() == np.count_nonzero(label != 255)
    scores = fcn_scores(counts.diagonal(), counts.sum(0), counts.sum(1))
    assert 0 <= scores.mean_iu <= 1


@pytest.mark.parametrize(
    "prediction, label, message",
    [
        ([[0, 1]], [[0]], r"the prediction has \(1, 2\) pixels, the label \(1, 1\)"),
        ([[3]], [[0]], "index 3 in the prediction, expected 3 classes"),
        ([[0]], [[7]], "index 7 in the label, expected 3 classes"),
        ([[255]], [[0]], "index 255 in the prediction"),
    ],
)
def test_wrong_input(prediction, label, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(np.array(prediction, np.uint8), np.array(label, np.uint8), 3)


def test_shares():
    shares = row_shares(np.array([[6, 2, 0], [0, 0, 0], [1, 0, 3]]))
    assert shares[[0, 2]].tolist() == [[75, 25, 0], [25, 0, 75]] and np.isnan(shares[1]).all()


def test_picture():
    """Colours are the shares, rows the truth; names and pixel counts beside them, no formula out of dollars."""
    axes = draw_confusion(MATRIX, CLASSES, "FCN-8s").axes[0]
    assert np.array_equal(axes.images[0].get_array().filled(np.nan), row_shares(MATRIX), equal_nan=True)
    assert axes.images[0].get_clim() == (0, 100)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["sky", 'a, "b"', r"cost \$x\$ <&>"]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "sky  8", 'a, "b"  0', r"cost \$x\$ <&>  2,147,483,649",
    ]  # fmt: skip
    assert {text.get_position(): text.get_text() for text in axes.texts} == {(0, 0): "75", (1, 0): "25", (2, 2): "100"}
    assert axes.get_title() == "FCN-8s" and axes.get_xlabel() == "predicted" and axes.get_ylabel().startswith("truth")


def test_many_classes_have_colours_alone():
    axes = draw_confusion(np.eye(150, dtype=np.int64), [str(i) for i in range(150)]).axes[0]
    assert not list(axes.texts) and axes.images[0].get_array().shape == (150, 150)


def test_numbers(tmp_path):
    write_confusion(tmp_path / "confusion.csv", MATRIX, CLASSES)
    with (tmp_path / "confusion.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["truth \\ predicted", *CLASSES],
            [CLASSES[0], "6", "2", "0"],
            [CLASSES[1], "0", "0", "0"],
            [CLASSES[2], "1", "0", "2147483648"],
        ]
    assert [path.name for path in tmp_path.iterdir()] == ["confusion.csv"]
