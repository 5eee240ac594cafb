"""What is measured of all sides together, and how their processes end."""

import os
import signal

import numpy as np
import pytest
from testing.utils import PROCESSES

from benchmarks import measure, process, report
from benchmarks.process import SideProcess
from benchmarks.sides import OurSide, PeerSide, Side


class FakeSide:
    """Answers calls with numbers that tell the side and the call."""

    def __init__(self, name, log, factor):
        self.name, self.log, self.factor, self.runs = name, log, factor, 0

    def call(self, function, *args):
        self.log.append((self.name, function, *args))
        if function is measure.milliseconds:
            self.runs += 1
            return float(self.factor * self.runs**2)
        answers = {measure.machine: {}, measure.count_flops: 6e9, measure.matrix_product_rate: 12e12}
        answers[measure.exact_logits] = np.array([0.0, 2.0, 4.0]) + (self.factor == 2)
        return answers[function]


@pytest.fixture
def fake():
    log = []
    return {name: FakeSide(name, log, factor) for name, factor in (("a", 1), ("b", 2), ("peer", 4))}, log


def test_sides_take_turns(fake):
    sides, log = fake
    rows = report.times(sides, "peer", 3)
    turns = [(name, measure.milliseconds, computation) for computation in ("forward", "step") for name in sides]
    assert log == [*turns[:3] * 3, *turns[3:] * 3]
    columns = ["side", "computation", "ms", "min", "max", "all ms", "of the peer's", "min ratio", "max ratio"]
    assert [list(row) for row in rows] == [columns] * 6
    assert list(rows[2].values()) == ["b", "forward", 8, 2, 18, [2, 8, 18], 0.5, 0.5, 0.5]
    assert (rows[1]["side"], rows[1]["computation"], rows[1]["ms"]) == ("a", "step", 25)
    # operations in the time that was measured, 6 GFLOP in 8 ms, of 12 TFLOP/s
    assert list(report.compute(sides, rows)[2].values()) == pytest.approx(["b", "forward", 6, 750, 12000, 6.25])


def test_another_network_is_refused(fake):
    with pytest.raises(ValueError, match="peer is not the config's network: logits differ by 0.25"):
        report.machines(fake[0], "peer")


def test_table():
    rows = [{"side": "a", "ms": 1234.567, "all ms": [1.0], "n": 3}, {"side": "bcd", "ms": 6.9e-07, "n": None}]
    lines = report.table(rows).splitlines()
    assert [lines[i] for i in (1, 3, 4)] == [
        "| side |      ms | n |",
        "| a    | 1234.57 | 3 |",
        "| bcd  | 6.9e-07 |   |",
    ]


class LinearSide:
    """A side whose time is a line over the area; every other run takes longer."""

    name, runs = "a", 0

    def call(self, function, *args):
        if function is Side.set_inputs:
            self.batch, (height, width) = args
            self.ms = 2 + height * width / 1e6
            return None
        self.runs += 1
        return self.batch * self.ms * {"forward": 1, "step": 3}[args[0]] + (100 if self.runs % 3 == 2 else 0)


def test_sweep():
    rows = report.sweep({"a": LinearSide()}, (100, 200), repeats=3)
    assert [(row["computation"], row["batch"]) for row in rows] == [
        (c, b) for b in (1, 2, 4) for c in ("forward", "step")
    ]
    columns = ["50 x 100", "71 x 141", "100 x 200", "141 x 283", "200 x 400", "a ms", "b ms/MP", "R^2", "deviation %"]
    assert list(rows[0])[3:] == columns
    for row in rows:
        factor = {"forward": 1, "step": 3}[row["computation"]]
        assert (row["50 x 100"], row["a ms"], row["b ms/MP"]) == pytest.approx((2.005 * factor, 2 * factor, factor))
        assert row["deviation %"] < 1e-6 and row["R^2"] == pytest.approx(1)


@pytest.fixture
def sides(options, monkeypatch):
    monkeypatch.setattr(process, "CONTEXT", PROCESSES)
    monkeypatch.setattr(report, "AREAS", (1, 4))
    monkeypatch.setattr(report, "BATCHES", (1, 2))
    found = {
        "ours fp32": SideProcess("ours fp32", OurSide, options, "fp32"),
        "torchfcn fp32": SideProcess("torchfcn fp32", PeerSide, options),
    }
    yield found
    for side in found.values():
        side.executor.shutdown()


def test_all_sections(sides, options):
    found = dict(report.sections(sides, options))
    layers = ["ours fp32, by layer", "torchfcn fp32, by layer"]
    assert list(found)[:6] == ["sides", "times", "memory", "compute", *layers] and len(found) == 7
    assert [row["side"] for row in found["memory"]] == list(sides)
    assert found["sides"][0]["logits, from torchfcn fp32"] < 1e-5
    ours, peer = found["memory"]
    columns = ["side", "working MiB", "peak resident MiB", "working, of the peer's"]
    assert list(ours) == columns and ours[columns[-1]] == ours["working MiB"] / peer["working MiB"]
    assert {"backbone.conv1_1", "neck.fc6", "optimizer"} <= {row["layer"] for row in found[layers[0]]}
    assert len(list(found.values())[-1]) == 4  # of the sweep, ours alone: two batches, forward and step
    assert all("side" in report.table(rows) or "layer" in report.table(rows) for rows in found.values())


def test_a_side_that_fails_or_is_killed_is_named(sides):
    with pytest.raises(RuntimeError, match="^ours fp32: ValueError: no such computation$"):
        sides["ours fp32"].call(fail)
    sides["torchfcn fp32"].call(measure.machine)
    os.kill(next(iter(sides["torchfcn fp32"].executor._processes)), signal.SIGKILL)
    with pytest.raises(RuntimeError, match="the process of torchfcn fp32 was killed"):
        sides["torchfcn fp32"].call(measure.machine)
    assert sides["ours fp32"].call(measure.machine)["cores"] >= 1


def fail(side):
    raise ValueError("no such computation")
