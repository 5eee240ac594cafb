import json

from testing.run_logs import train, write_session

from fcn_plugin.visualization.class_metrics import ClassMetrics, last_test, last_validation, ordered_means
from fcn_plugin.visualization.run_log import read_run


def record(split, step, value):
    metrics = dict(aAcc=1.0, mIoU=value)
    return dict(split=split, step=step, metrics=metrics, classes=["a", "b"], columns=dict(IoU=[value, None]))


def write_numbers(session, *records, tail=""):
    (session / "class_metrics.json").write_text("".join(f"{json.dumps(line)}\n" for line in records) + tail)


def test_last_validation(tmp_path):
    """Of the session that did it last, though an earlier one was further."""
    first = write_session(tmp_path, "20260101_000000", [train(10, 1), train(30, 1)])
    assert last_validation(read_run(tmp_path)) is None
    write_numbers(first, record("val", 10, 50.0), record("val", 20, 60.0), record("val", 30, 70.0))
    second = write_session(tmp_path, "20260102_000000", [train(20, 1)])
    assert last_validation(read_run(tmp_path)).step == 30
    write_numbers(second, record("val", 20, 65.0), tail='{"split": "val", "st')
    found = last_validation(read_run(tmp_path))
    assert found == ClassMetrics("val", 20, dict(aAcc=1.0, mIoU=65.0), ["a", "b"], dict(IoU=[65.0, None]))
    assert last_test(tmp_path) is None


def test_last_test(tmp_path):
    """Whatever else was done in the directory."""
    write_numbers(write_session(tmp_path, "20260101_000000", []), record("test", 0, 60.0), record("test", 0, 61.0))
    write_numbers(write_session(tmp_path, "20260102_000000", [train(1, 1)]), record("val", 1, 70.0))
    assert last_test(tmp_path).columns == dict(IoU=[61.0, None])


def test_order_of_the_means():
    assert list(ordered_means(dict(aAcc=1, mDice=2, mAcc=3, mIoU=4))) == ["mIoU", "aAcc", "mAcc", "mDice"]
