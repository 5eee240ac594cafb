import json
import logging
import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample
from PIL import Image
from testing.utils import PROCESSES

from fcn_plugin.checks.watched import figures_of
from fcn_plugin.engine.distributed import leave_process_group
from fcn_plugin.evaluation import FCNMetric, fcn_scores

CLASSES = ("sky", "road", "tree", "car", "sign")
FIGURES = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")
KEYS = ("aAcc", "mAcc", "mIoU", "fwIoU")  # the same figures, as the metric names them
NAN = math.nan


def scores_of(confusion) -> tuple[float, ...]:
    n = np.asarray(confusion)
    scores = fcn_scores(n.diagonal(), n.sum(axis=0), n.sum(axis=1))
    assert scores.class_accuracy.shape == scores.class_iu.shape == (len(n),)
    return tuple(getattr(scores, name) for name in FIGURES)


def reference_figures(confusion) -> tuple[float, ...]:
    """The reference's formulas class by class in exact fractions; what would be 0 / 0 is left out of a mean."""
    n = [[int(value) for value in row] for row in confusion]
    classes = range(len(n))
    true = [sum(n[i]) for i in classes]
    predicted = [sum(n[i][j] for i in classes) for j in classes]
    union = [true[i] + predicted[i] - n[i][i] for i in classes]
    accuracies = [Fraction(n[i][i], true[i]) for i in classes if true[i]]
    ious = {i: Fraction(n[i][i], union[i]) for i in classes if union[i]}
    total = sum(true)
    return (
        float(Fraction(sum(n[i][i] for i in classes), total)) if total else NAN,
        float(sum(accuracies) / len(accuracies)) if accuracies else NAN,
        float(sum(ious.values()) / len(ious)) if ious else NAN,
        float(sum(Fraction(true[i], total) * ious[i] for i in classes if true[i])),
    )


@pytest.mark.parametrize(
    "confusion, expected",
    [
        ([[3, 0], [0, 5]], (1, 1, 1, 1)),
        ([[3, 1], [2, 4]], (7 / 10, (3 / 4 + 4 / 6) / 2, (3 / 6 + 4 / 7) / 2, 0.4 * 3 / 6 + 0.6 * 4 / 7)),
        ([[0, 2], [3, 0]], (0, 0, 0, 0)),
        # the last class only in the prediction: no accuracy, but an IU of 0
        (
            [[2, 1, 1], [0, 4, 0], [0, 0, 0]],
            (6 / 8, (2 / 4 + 1) / 2, (2 / 4 + 4 / 5 + 0) / 3, 0.5 * 2 / 4 + 0.5 * 4 / 5),
        ),
        # the last class only in the truth: an accuracy and an IU of 0
        ([[2, 0, 0], [0, 4, 0], [1, 1, 0]], (6 / 8, 2 / 3, (2 / 3 + 4 / 5) / 3, 2 / 8 * 2 / 3 + 4 / 8 * 4 / 5)),
        # the class in the middle in neither: it counts nowhere
        (
            [[2, 0, 1], [0, 0, 0], [0, 0, 5]],
            (7 / 8, (2 / 3 + 1) / 2, (2 / 3 + 5 / 6) / 2, 3 / 8 * 2 / 3 + 5 / 8 * 5 / 6),
        ),
        ([[7]], (1, 1, 1, 1)),
        ([[0, 0], [0, 0]], (NAN, NAN, NAN, 0)),  # every pixel ignored
    ],
)
def test_figures_by_hand(confusion, expected):
    assert scores_of(confusion) == pytest.approx(expected, nan_ok=True)
    assert reference_figures(confusion) == pytest.approx(expected, nan_ok=True)


def test_figures_of_the_classes():
    n = np.array([[2, 1, 1, 0], [0, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    scores = fcn_scores(n.diagonal(), n.sum(axis=0), n.sum(axis=1))
    assert scores.class_accuracy == pytest.approx([2 / 4, 1, NAN, NAN], nan_ok=True)
    assert scores.class_iu == pytest.approx([2 / 4, 4 / 5, 0, NAN], nan_ok=True)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(20))
def test_random_matrices_against_the_reference(seed):
    random = np.random.default_rng(seed)
    confusion = random.integers(0, 10 ** random.integers(1, 9), (7, 7)) * (random.random((7, 7)) < 0.7)
    absent_in_truth, absent = random.choice(7, 2, replace=False)
    confusion[absent_in_truth] = 0
    confusion[absent] = confusion[:, absent] = 0
    assert scores_of(confusion) == pytest.approx(reference_figures(confusion), rel=1e-12)


def sample(truth, prediction, **more) -> dict:
    data = {"gt_sem_seg": truth, "pred_sem_seg": prediction}
    return {key: dict(data=torch.as_tensor(np.asarray(value))[None]) for key, value in data.items()} | more


def make_samples() -> list[dict]:
    """Five images of different sizes, more and more of which is ignored, all of the fourth; class 4 only predicted."""
    random = np.random.default_rng(0)
    samples = []
    for number in range(5):
        shape = (4 + number, 9 - number)
        truth = random.choice([0, 1, 2], shape)
        prediction = np.where(random.random(shape) < 0.6, truth, random.choice([0, 1, 2, 4], shape))
        truth[random.random(shape) < (1 if number == 3 else 0.1 * number)] = 255
        samples.append(sample(truth, prediction))
    return samples


def confusion_of(samples, num_classes=5, ignore_index=255) -> list[list[int]]:
    confusion = [[0] * num_classes for _ in range(num_classes)]
    for data in samples:
        truth, prediction = (data[key]["data"].flatten().tolist() for key in ("gt_sem_seg", "pred_sem_seg"))
        for i, j in zip(truth, prediction, strict=True):
            if i != ignore_index:
                confusion[i][int(j)] += 1
    return confusion


def make_metric(cls=FCNMetric, classes=CLASSES, **settings):
    metric = cls(**{"iou_metrics": ["mIoU"], **settings})
    metric.dataset_meta = dict(classes=classes)
    return metric


def evaluate(metric, samples) -> dict[str, float]:
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def in_percent(figures) -> dict[str, float]:
    return {key: pytest.approx(100 * value, abs=0.0051, nan_ok=True) for key, value in zip(KEYS, figures, strict=True)}


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data,
        lambda data: data[3:4],  # ignored throughout
        lambda data: [sample([[2]], [[2]])],
        lambda data: [sample([[0, 1, 0]], np.float32([[0, 1, 1]]))],  # as a model of one logit predicts
        lambda data: [sample([[0, 255]], [[0, 99]])],  # what is predicted where nothing is labelled does not matter
        lambda data: [sample(np.uint8([[0, 1, 255]]), np.uint8([[0, 0, 1]]))],
    ],
    ids=["images", "ignored", "pixel", "float", "beyond", "uint8"],
)
def test_metric_on_images(change):
    samples = change(make_samples())
    figures = evaluate(make_metric(), samples)
    assert figures == in_percent(reference_figures(confusion_of(samples)))
    assert list(figures) == ["aAcc", "mIoU", "mAcc", "fwIoU"]  # the toolbox's order, in which they are logged


def test_ignored_index_and_prefix():
    samples = make_samples()
    for data in samples:
        truth = data["gt_sem_seg"]["data"]
        truth[truth == 255] = 3
    figures = evaluate(make_metric(ignore_index=3, prefix="val"), samples)
    expected = in_percent(reference_figures(confusion_of(samples, ignore_index=3)))
    assert figures == {f"val/{key}": value for key, value in expected.items()}


def real_samples(voc: Path) -> list[dict]:
    """Classes told by the brightness of the pictures, with the errors that this makes."""
    samples = []
    for file in sorted((voc / "SegmentationClass").glob("*.png")):
        brightness = np.asarray(Image.open(voc / f"JPEGImages/{file.stem}.jpg")).mean(axis=2)
        samples.append(sample(np.asarray(Image.open(file)), np.clip((brightness - 14) // 20, 0, 10).astype(int)))
    return samples


@pytest.mark.parametrize(
    "settings",
    [
        {},
        dict(nan_to_num=0),
        dict(iou_metrics=["mIoU", "mDice", "mFscore"], beta=2),
        dict(iou_metrics=["mDice"]),
    ],
)
def test_the_figures_of_the_toolbox_stay_the_same(settings, voc):
    samples = real_samples(voc / "camvid")
    assert len(samples) == 6
    classes = [f"class {number}" for number in range(12)]  # the last does not occur
    expected = evaluate(make_metric(IoUMetric, classes, **settings), samples)
    figures = evaluate(make_metric(FCNMetric, classes, **settings), samples)
    frequency_weighted = figures.pop("fwIoU")
    assert figures == {key: pytest.approx(value, abs=0.011) for key, value in expected.items()}
    assert 10 < expected["aAcc"] < 90 and list(figures) == list(expected)
    assert frequency_weighted == pytest.approx(100 * reference_figures(confusion_of(samples, 12))[3], abs=0.0051)


@pytest.mark.parametrize(
    "truth, prediction, warns", [([[0, 1, 2]], [[1, 1, 1]], True), ([[1, 1, 255]], [[1, 1, 0]], False)]
)
def test_background_everywhere_is_pointed_out(truth, prediction, warns, monkeypatch):
    logged = []
    monkeypatch.setattr("fcn_plugin.evaluation.fcn_metric.print_log", lambda text, **_: logged.append(text))
    evaluate(make_metric(), [sample(truth, prediction), sample([[1]], [[1]])])
    assert [text.startswith("every pixel was predicted as road:") for text in logged] == [warns]


@pytest.mark.parametrize("truth", [[[1, 1, 255]], [[255, 255, 255]]])
def test_one_class_is_labelled(truth, monkeypatch):
    """Whatever else is predicted, the mean IU of its pixels alone looks well."""
    logged = []
    monkeypatch.setattr("fcn_plugin.evaluation.fcn_metric.print_log", lambda text, **_: logged.append(text))
    figures = evaluate(make_metric(), [sample(truth, [[1, 1, 0]]), sample([[1]], [[1]])])
    assert figures["aAcc"] == 100
    assert logged == [
        "only road is labelled in what was evaluated, other pixels are ignored (255): the figures say nothing"
    ]


def test_table_of_the_classes(monkeypatch):
    logged = []
    monkeypatch.setattr("mmseg.evaluation.metrics.iou_metric.print_log", lambda text, logger: logged.append(text))
    truth, prediction = [[0, 0, 0, 0, 1, 1, 1, 1]], [[0, 0, 1, 2, 1, 1, 1, 1]]
    evaluate(make_metric(), [sample(truth, prediction)])
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in logged[-1].splitlines()]
    assert [row for row in rows if row] == [
        ["Class", "IoU", "Acc"],
        ["sky", "50.0", "50.0"],
        ["road", "80.0", "100.0"],
        ["tree", "0.0", "nan"],
        ["car", "nan", "nan"],
        ["sign", "nan", "nan"],
    ]


@pytest.mark.parametrize(
    "truth, prediction, expected",
    [
        ([[0, 1, 1, 1, 255]], [[1, 1, 1, 0, 1]], (50, 66.67, 66.67, 66.67)),
        ([[0, 0, 1]], [[0, 0, 0]], (0, 0, NAN, 0)),
        ([[0, 0, 0]], [[0, 0, 0]], (NAN, NAN, NAN, NAN)),
    ],
)
def test_figures_of_the_foreground(truth, prediction, expected):
    metric = FCNMetric(foreground=1)
    metric.dataset_meta = dict(classes=("ground", "thing"))
    sample = {
        name: dict(data=torch.tensor([value]))
        for name, value in dict(gt_sem_seg=truth, pred_sem_seg=prediction).items()
    }
    metric.process({}, [sample])
    metrics = metric.compute_metrics(metric.results)
    assert [metrics[name] for name in ("IoU", "Dice", "Precision", "Recall")] == pytest.approx(expected, nan_ok=True)
    assert set(figures_of(dict(type="FCNMetric", foreground=1))) == metrics.keys()


@pytest.mark.parametrize("foreground", [-1, "thing", 2])
def test_foreground_that_is_no_class(foreground):
    with pytest.raises(ValueError, match=f"foreground.*{foreground}"):
        metric = FCNMetric(foreground=foreground)
        metric.dataset_meta = dict(classes=("ground", "thing"))
        metric.process({}, [dict(pred_sem_seg=dict(data=torch.zeros(1, 2, 2)))])


def test_counts_are_exact():
    large = torch.zeros(4097, 4096, dtype=torch.uint8)  # 2**24 + 4096 pixels: float32 stops at 2**24
    one = torch.zeros(1, 1, dtype=torch.uint8)
    areas = [FCNMetric.intersect_and_union(label, label, 2, 255) for label in (large, one)]
    for first, second in zip(*areas):
        assert (first + second).tolist() == [4097 * 4096 + 1, 0]


@pytest.mark.parametrize("num_classes", [1, 256, 5000])
def test_any_number_of_classes(num_classes):
    label = torch.arange(num_classes).repeat_interleave(2).reshape(2, -1)
    prediction = label.clone()
    prediction[0, 0] = num_classes - 1
    label = torch.cat([label, torch.full_like(label, -1)])
    prediction = torch.cat([prediction, torch.zeros_like(prediction)])
    intersect, union, predicted, labelled = FCNMetric.intersect_and_union(prediction, label, num_classes, -1)
    ones = torch.full((num_classes,), 2.0, dtype=torch.float64)
    change = torch.zeros_like(ones)
    change[0] -= 1
    change[-1] += 1
    assert torch.equal(labelled, ones) and torch.equal(predicted, ones + change)
    assert torch.equal(intersect, ones + change.clamp(max=0)) and torch.equal(union, ones + change.clamp(min=0))


@pytest.mark.parametrize(
    "truth, prediction, message",
    [
        ([[0, 5]], [[0, 1]], "index 5 in the label, but the data set has 5 classes (ignored index: 255)"),
        ([[0, 1]], [[0, 20]], "index 20 in the prediction, but the data set has 5 classes"),
        ([[0, 1], [1, 1]], [[0, 1, 1]] * 2, "the prediction has (2, 3) pixels, the label (2, 2)"),
        ([[0, 1]] * 3, [[0, 1, 1]] * 2, "the prediction has (2, 3) pixels, the label (3, 2)"),
    ],
)
def test_wrong_images_are_named(truth, prediction, message):
    good = sample([[0, 1]], [[0, 1]], img_path="data/good.jpg")
    bad = sample(truth, prediction, img_path="data/bad.jpg")
    with pytest.raises(ValueError) as caught:
        make_metric().process({}, [good, bad])
    assert str(caught.value).startswith(f"data/bad.jpg: {message}")


def test_predictions_are_written_and_need_no_truth(tmp_path):
    data = sample([[0]], [[4, 0], [2, 255]], img_path="somewhere/picture.jpg")
    del data["gt_sem_seg"]
    metric = make_metric(output_dir=str(tmp_path / "out"), format_only=True)
    assert evaluate(metric, [data]) == {}
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["picture.png"]
    assert np.asarray(Image.open(tmp_path / "out/picture.png")).tolist() == [[4, 0], [2, 255]]

    both = sample([[0, 1]], [[0, 2]], img_path="somewhere/both.jpg")
    figures = evaluate(make_metric(output_dir=str(tmp_path / "out")), [both])
    assert figures["aAcc"] == 50 and (tmp_path / "out/both.png").is_file()


def test_predictions_that_no_png_can_hold(tmp_path):
    data = sample([[256]], [[256]], img_path="picture.jpg")
    assert evaluate(make_metric(classes=range(257)), [data])["mIoU"] == 100
    with pytest.raises(ValueError, match="PNGs of class indices hold 256 classes, got 257"):
        evaluate(make_metric(classes=range(257), output_dir=str(tmp_path)), [data])
    assert list(tmp_path.iterdir()) == []


def evaluate_in_process(rank: int, folder: Path, count: int) -> None:
    """One of two processes, which has every other image as the toolbox's data loader gives them out."""
    os.chdir(folder)
    logging.disable()
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    samples, metric = make_samples()[:count], make_metric()
    own = list(DefaultSampler(samples, shuffle=False))
    metric.process({}, [samples[index] for index in own])
    figures = {key: float(value) for key, value in metric.evaluate(count).items()}
    (folder / f"{rank}.json").write_text(json.dumps([own, figures]))
    leave_process_group()


@pytest.mark.parametrize("count, shares", [(4, [[0, 2], [1, 3]]), (3, [[0, 2], [1, 0]]), (1, [[0], [0]])])
def test_two_processes(count, shares, tmp_path):
    """The last process has an image again where they cannot be shared out evenly; it must count once."""
    workers = [PROCESSES.Process(target=evaluate_in_process, args=(rank, tmp_path, count)) for rank in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    samples = make_samples()
    expected = in_percent(reference_figures(confusion_of(samples[:count])))
    assert found == [[own, expected] for own in shares]
    if count == 3:  # the test would see an image that counts twice
        twice = reference_figures(confusion_of([*samples[:3], samples[0]]))
        assert all(100 * value != expected[key] for key, value in zip(KEYS, twice))


def test_in_the_toolboxs_evaluator():
    init_default_scope("mmseg")
    evaluator = Evaluator(dict(type="FCNMetric", iou_metrics=["mIoU"]))
    evaluator.dataset_meta = dict(classes=CLASSES)
    parts = sample([[0, 0, 1, 255]], [[0, 1, 1, 1]])
    evaluator.process([SegDataSample(**{key: PixelData(**part) for key, part in parts.items()})])
    assert evaluator.evaluate(1) == in_percent((2 / 3, (1 / 2 + 1) / 2, 1 / 2, 1 / 2))
