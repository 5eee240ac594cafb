import numpy as np
import pytest
import torch

from fcn_plugin.evaluation.boundary_iou_metric import BoundaryIoUMetric, boundary_distance

INF = float("inf")


@pytest.mark.parametrize(
    "label, expected",
    [
        ([[0, 0, 0, 1, 1]], [[3, 2, 1, 1, 2]]),
        ([[2], [5], [5], [5]], [[1], [1], [2], [3]]),
        # ignored pixels, in the middle of which the boundary runs
        ([[0, 0, 255, 255, 1]], [[3, 2, 1, 1, 2]]),
        ([[0, 0, 255, 255, 255]], [[INF] * 5]),
        ([[255, 255]], [[INF, INF]]),
    ],
)
def test_distances_by_hand(label, expected):
    assert boundary_distance(np.array(label, np.uint8)) == pytest.approx(np.array(expected))


def test_distances_are_euclidean():
    label = np.zeros((4, 5), np.uint8)
    label[1, 1] = 3
    touching = [(0, 1), (1, 0), (1, 1), (1, 2), (2, 1)]  # the pixel and its four neighbours
    by_hand = [[1 + min(np.hypot(y - a, x - b) for a, b in touching) for x in range(5)] for y in range(4)]
    assert boundary_distance(label) == pytest.approx(np.array(by_hand), rel=1e-5)


def sample(predicted, label) -> dict:
    planes = (torch.tensor(one)[None] for one in (predicted, label))
    return dict(zip(("pred_sem_seg", "gt_sem_seg"), (dict(data=plane) for plane in planes)), img_path="a.png")


def test_figures_by_hand():
    metric = BoundaryIoUMetric(widths=(1, 2))
    metric.dataset_meta = dict(classes=("sky", "pole", "car"))
    label = [[0, 0, 0, 1, 1, 1, 1]]
    metric.process(None, [sample([[1, 0, 0, 0, 1, 1, 0]], label), sample([[0, 0, 0, 1, 255, 1, 1]], [[0] * 7])])
    # band of 1: labelled 0 1, predicted 0 0; band of 2: labelled 0 0 1 1, predicted 0 0 0 1; the second has no boundary
    figures = metric.evaluate(2)
    assert figures == {"mIoU_1px": 25.0, "mIoU_2px": pytest.approx(100 * (2 / 3 + 1 / 2) / 2, abs=0.01)}
    assert metric.class_metrics["IoU_1px"] == pytest.approx([50, 0, np.nan], nan_ok=True)
    assert metric.class_metrics["IoU_2px"] == pytest.approx([200 / 3, 50, np.nan], nan_ok=True)


def test_wrong_input():
    for widths in ((), (0,), (1.5,)):
        with pytest.raises(ValueError, match="widths must list integers of 1 or more"):
            BoundaryIoUMetric(widths=widths)
    metric = BoundaryIoUMetric()
    metric.dataset_meta = dict(classes=("sky", "pole"))
    with pytest.raises(ValueError, match="a.png: index 3 in the label"):
        metric.process(None, [sample([[0, 1]], [[3, 1]])])
    with pytest.raises(ValueError, match="a.png: the prediction has"):
        metric.process(None, [sample([[0, 1, 0]], [[0, 1]])])
