import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.runner import BaseLoop
from mmseg.evaluation import IoUMetric

from fcn_plugin.engine.hooks import ClassMetricsHook
from fcn_plugin.evaluation import FCNMetric

CLASSES = ("sky", "road")


def metric(kind=FCNMetric, **settings):
    made = kind(**settings)
    made.dataset_meta = dict(classes=CLASSES)
    return made


def evaluate(made, intersect=(3, 0), predicted=(4, 0), labelled=(5, 0)):
    areas = [torch.tensor(area, dtype=torch.float64) for area in (intersect, predicted, labelled)]
    union = areas[1] + areas[2] - areas[0]
    return made.compute_metrics([(areas[0], union, areas[1], areas[2])])


def runner(folder, *metrics, step=None):
    class Loop(BaseLoop):
        def __init__(self):
            pass

        def run(self):
            raise AssertionError

    loop = SimpleNamespace(evaluator=SimpleNamespace(metrics=metrics))
    return SimpleNamespace(
        log_dir=str(folder), val_loop=loop, test_loop=loop, iter=step, _train_loop=dict() if step is None else Loop()
    )


def test_the_metric_keeps_its_table():
    made = metric()
    assert made.class_metrics is None
    evaluate(made)
    assert list(made.class_metrics) == ["IoU", "Acc"]
    assert made.class_metrics["IoU"] == pytest.approx([100 * 3 / 6, math.nan], nan_ok=True)
    assert made.class_metrics["Acc"] == pytest.approx([100 * 3 / 5, math.nan], nan_ok=True)


def test_other_figures_and_nan_to_num():
    made = metric(iou_metrics=["mDice", "mFscore"], nan_to_num=-1)
    evaluate(made)
    assert list(made.class_metrics) == ["Dice", "Acc", "Fscore", "Precision", "Recall"]
    assert made.class_metrics["Dice"] == pytest.approx([100 * 6 / 9, -100])


def test_one_record_for_each_evaluation(tmp_path):
    made = metric()
    hook = ClassMetricsHook()
    hook.after_val_epoch(runner(tmp_path, made, step=5), {})  # nothing was evaluated yet
    assert not list(tmp_path.iterdir())
    figures = evaluate(made)
    hook.after_val_epoch(runner(tmp_path, metric(IoUMetric), made, step=7), figures)
    hook.after_val_epoch(runner(tmp_path, made), dict(mIoU=np.float64("nan")))
    hook.after_test_epoch(runner(tmp_path, made, step=9), None)
    first, second, third = [json.loads(line) for line in (tmp_path / "class_metrics.json").read_text().splitlines()]
    columns = dict(IoU=[50.0, None], Acc=[60.0, None])
    means = dict(aAcc=60.0, mIoU=50.0, mAcc=60.0, fwIoU=50.0)
    assert first == dict(split="val", step=7, metrics=means, classes=["sky", "road"], columns=columns)
    assert (second["split"], second["step"], second["metrics"]) == ("val", 0, dict(mIoU=None))
    assert (third["split"], third["step"], third["metrics"], third["columns"]) == ("test", 0, {}, columns)


def test_in_the_first_process_alone(tmp_path, monkeypatch):
    made = metric()
    evaluate(made)
    monkeypatch.setattr("mmengine.dist.utils.get_dist_info", lambda group=None: (1, 2))
    monkeypatch.setattr("mmengine.dist.utils.get_rank", lambda group=None: 1)
    ClassMetricsHook().after_val_epoch(runner(tmp_path, made, step=1), {})
    assert not list(tmp_path.iterdir())
