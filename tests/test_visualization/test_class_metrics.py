import json

import pytest
from testing.run_logs import ENVIRONMENT, TABLE, train, val, write_session

from fcn_plugin.visualization.class_metrics import ClassMetrics, last_test, last_validation, ordered_means, read_tables
from fcn_plugin.visualization.run_log import read_run

WARNING = "2026/01/02 03:04:06 - mmengine - WARNING - every pixel was predicted as sky\n"


def record(split, step, value):
    metrics = dict(aAcc=1.0, mIoU=value)
    return dict(split=split, step=step, metrics=metrics, classes=["a", "b"], columns=dict(IoU=[value, None]))


def write_numbers(session, *records, tail=""):
    (session / "class_metrics.json").write_text("".join(f"{json.dumps(line)}\n" for line in records) + tail)


def test_numbers_of_the_last_validation(tmp_path):
    """Of the session that did it last, though an earlier one was further."""
    first = write_session(
        tmp_path, "20260101_000000", [train(10, 1), train(30, 1)], log=TABLE.format(9, split="val", warning="")
    )
    write_numbers(first, record("val", 10, 50.0), record("val", 20, 60.0), record("val", 30, 70.0))
    second = write_session(tmp_path, "20260102_000000", [train(20, 1)])
    assert last_validation(read_run(tmp_path)).step == 30
    write_numbers(second, record("val", 20, 65.0), tail='{"split": "val", "st')
    found = last_validation(read_run(tmp_path))
    assert found == ClassMetrics("val", 20, dict(aAcc=1.0, mIoU=65.0), ["a", "b"], dict(IoU=[65.0, None]))
    assert last_test(tmp_path) is None


@pytest.mark.parametrize("warning", ["", WARNING])
def test_tables_of_a_log(tmp_path, warning):
    """Where there are no numbers; names may have any characters."""
    log = ENVIRONMENT + TABLE.format(11, split="val", warning="") + TABLE.format(12.5, split="val", warning=warning)
    session = write_session(
        tmp_path, "20260101_000000", [train(10, 1), val(10, 11), train(20, 1), val(20, 12.5)], log=log
    )
    metrics = dict(aAcc=87.59, mIoU=12.5)
    columns = dict(IoU=[12.5, 0.08], Acc=[98.0, None])
    assert last_validation(read_run(tmp_path)) == ClassMetrics("val", 20, metrics, ["a <b>", "c|d"], columns)
    assert [table.columns["IoU"][0] for table in read_tables(session)] == [11, 12.5]


def test_last_test(tmp_path):
    write_session(tmp_path, "20260101_000000", [train(1, 1)], log=TABLE.format(9, split="val", warning=""))
    assert last_test(tmp_path) is None
    write_session(tmp_path, "20260102_000000", [], log=TABLE.format(10, split="test", warning=WARNING))
    assert last_test(tmp_path).metrics["mIoU"] == 10 and last_test(tmp_path).split == "test"
    write_numbers(write_session(tmp_path, "20260103_000000", []), record("test", 0, 61.0))
    assert last_test(tmp_path).columns == dict(IoU=[61.0, None])
    assert last_validation(read_run(tmp_path)) is None  # its step is not known


def test_nothing(tmp_path):
    write_session(tmp_path, "20260101_000000", [train(1, 1)], log=ENVIRONMENT)
    assert last_validation(read_run(tmp_path)) is None and last_test(tmp_path) is None


def test_order_of_the_means():
    assert list(ordered_means(dict(aAcc=1, mDice=2, mAcc=3, mIoU=4))) == ["mIoU", "aAcc", "mAcc", "mDice"]
