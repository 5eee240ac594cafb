import numpy as np
import pytest
import torch

from fcn_plugin.evaluation.confusion import class_areas, confusion_matrix


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_by_hand(kind):
    prediction = np.array([[0, 1, 1], [1, 2, 2]], np.uint8)
    label = np.array([[0, 0, 1], [1, 255, 2]], np.uint8)
    counts = confusion_matrix(kind(prediction), kind(label), 4)
    assert counts.dtype == np.int64
    assert counts.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert class_areas(counts).tolist() == [[1, 2, 1, 0], [1, 3, 1, 0], [2, 2, 1, 0]]
    ignored = confusion_matrix(kind(prediction), kind(np.where(label == 255, 1, label)), 4, ignore_index=1)
    assert ignored.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_what_was_predicted_of_ignored_pixels_is_of_no_class():
    label = np.array([[255, 1]], np.uint8)
    assert confusion_matrix(np.array([[255, 1]], np.uint8), label, 2).tolist() == [[0, 0], [0, 1]]
    assert confusion_matrix(label, np.full((1, 2), 255, np.uint8), 2).sum() == 0


@pytest.mark.parametrize(
    "prediction, label, message",
    [
        ([[0, 1]], [[0]], r"the prediction has \(1, 2\) pixels, the label \(1, 1\)"),
        ([[3]], [[0]], r"index 3 in the prediction, but the data set has 3 classes \(ignored index: 255\)"),
        ([[0]], [[7]], "index 7 in the label, but the data set has 3 classes"),
        ([[0]], [[-1]], "index -1 in the label"),
        ([[255]], [[0]], "index 255 in the prediction"),
    ],
)
def test_wrong_input(prediction, label, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(np.array(prediction), np.array(label), 3)
