"""What a benchmark measures of all sides together, and the tables of it."""

import json
import os
import signal
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from testing.utils import PROCESSES

from fcn_plugin.benchmark import benchmark, report
from fcn_plugin.benchmark.benchmark import Benchmark, started
from fcn_plugin.benchmark.process import SideError
from fcn_plugin.benchmark.setting import Setting
from fcn_plugin.benchmark.sweep import sweep


class FakeSide:
    """Answers calls with numbers that tell the side and the call."""

    def __init__(self, name, log, factor):
        self.name, self.log, self.factor, self.runs = name, log, factor, 0

    def call(self, method, *args):
        self.log.append((self.name, method, *args))
        if method == "warm_up":
            return 10 * self.factor
        if method == "seconds":
            self.runs += 1
            return float(self.factor * self.runs**2)
        if method == "exact_logits":
            return np.array([0.0, 2.0, 4.0], dtype=np.float32) + (self.name == "b")
        raise AssertionError(method)


@pytest.fixture
def fake():
    log = []
    sides = {name: FakeSide(name, log, factor) for name, factor in (("a", 1), ("b", 2), ("torchfcn fp32", 4))}
    return Benchmark(sides, Setting("config.py", peer="torchfcn"), repeats=3), log


def test_sides_take_turns(fake):
    measured, log = fake
    found = measured.times()
    names = ["a", "b", "torchfcn fp32"]
    assert log[:3] == [(name, "warm_up", "forward") for name in names]
    assert log[3:12] == [(n, "seconds", "forward", c) for _ in range(3) for n, c in zip(names, (10, 20, 40))]
    assert [call[2] for call in log[12:]] == ["step"] * 12
    assert found["b"]["forward"] == dict(seconds=[2, 8, 18], median=8, ratios=[0.5] * 3, ratio=0.5)
    assert found["a"]["step"]["median"] == 25 and found["torchfcn fp32"]["step"]["ratios"] == [1, 1, 1]


def test_ratio_is_the_median_of_those_of_the_rounds():
    class Jumping(FakeSide):
        def call(self, method, *args):
            return super().call(method, *args) if method == "warm_up" else self.seconds.pop(0)

    sides = {name: Jumping(name, [], 1) for name in ("a", "torchfcn fp32")}
    sides["a"].seconds, sides["torchfcn fp32"].seconds = [1.0, 5.0, 9.0] * 2, [4.0, 5.0, 2.0] * 2
    found = Benchmark(sides, Setting("config.py", peer="torchfcn"), repeats=3).times()["a"]["forward"]
    assert (found["median"], found["ratios"], found["ratio"]) == (5, [0.25, 1, 4.5], 1)


def test_differences(fake):
    measured, _ = fake
    assert measured.differences() == {"a": 0, "b": 0.25}
    alone = Benchmark({name: measured.sides[name] for name in "ab"}, Setting("config.py"))
    assert alone.differences() == {"b": 0.25}
    text = report.differences({"a": 0.0, "b": 0.25}, measured.setting, "a")
    assert text == "largest difference from the logits of torchfcn fp32, of their range: a 0.0e+00, b 2.5e-01"
    assert "of a, of" in report.differences({"b": 0.25}, alone.setting, "a")
    assert report.differences({}, alone.setting, "a") == ""


@pytest.fixture
def setting(config, stub_peer, monkeypatch):
    monkeypatch.setattr(benchmark, "sweep", partial(sweep, areas=(1, 4), batches=(1, 2)))
    return Setting(config, shape=(20, 30), peer="torchfcn")


def test_all_sections(setting):
    found = {}
    with started(setting, ["fp32"], repeats=1, context=PROCESSES) as running:
        for name in ("machine", "differences", "times", "memory", "compute", "layers", "sweep"):
            found[name] = getattr(running, name)()
    assert json.loads(json.dumps(found)) is not None
    sides = ["ours fp32", "torchfcn fp32"]
    assert found["machine"]["device_name"] is None and found["machine"]["cpu"]
    assert found["machine"]["keeps_freed_memory"]["torchfcn fp32"] is False
    assert list(found["differences"]) == ["ours fp32"] and found["differences"]["ours fp32"] < 1e-5
    for section in ("times", "memory", "compute", "layers"):
        assert list(found[section]) == sides
    for one in found["compute"].values():
        assert 0 < one["flops"]["forward"] < one["flops"]["step"] and one["matrix_product_rate"] > 0
    assert list(found["sweep"]) == ["ours fp32"] and len(found["sweep"]["ours fp32"]) == 4

    text = report.layers(found["layers"], found["times"]).splitlines()
    rows = [line.split("|")[1].strip() for line in text if line.startswith("|")]
    assert rows.count("neck.fc6") == rows.count("fc6") == 1 and rows.count("optimizer") == rows.count("step") == 2
    assert "backbone.conv1_1 | Conv2d" in " ".join(" ".join(text).split())
    assert "R^2" in report.sweep(found["sweep"])


def test_a_killed_side_is_named(setting):
    with pytest.raises(SideError, match="the process of torchfcn fp32 was killed by SIGKILL"):
        with started(setting, ["fp32"], repeats=1, context=PROCESSES) as running:
            os.kill(running.sides["torchfcn fp32"].process.pid, signal.SIGKILL)
            running.times()


def test_a_side_that_cannot_compute_is_named(setting, tmp_path):
    path = tmp_path / "unpadded.py"
    path.write_text(
        f"_base_ = {setting.config!r}\n"
        "trunk = dict(backbone=dict(padding=0), neck=dict())\n"
        "model = dict(backbone=dict(padding=0))\n"
    )
    with pytest.raises(SideError, match="^ours fp32: fc6 .*does not fit|^ours fp32: .*built for feature maps"):
        with started(replace(setting, config=str(path), peer=None), ["fp32"], context=PROCESSES) as running:
            running.times()


def cells(table, row, column=0):
    """The cells of the rows of a table that have a name in a column."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    return [line for line in lines if line[column] == row]


def test_table_of_times():
    found = {"a": dict(forward=dict(seconds=[0.1, 0.3, 0.2], median=0.2, ratios=[0.5, 2, 1], ratio=1))}
    assert cells(report.times(found), "a") == [
        ["a", "forward", "200.00", "100.00", "300.00", "1.000", "0.500", "2.000"]
    ]
    del found["a"]["forward"]["ratios"], found["a"]["forward"]["ratio"]
    assert cells(report.times(found), "a") == [["a", "forward", "200.00", "100.00", "300.00"]]
    assert "peer" not in report.times(found)


def test_table_of_memory():
    found = {
        "a": dict(working=2**20, allocated=None, resident=3 * 2**20),
        "p": dict(working=2**22, allocated=None, resident=2**20),
    }
    assert cells(report.memory(found, "p"), "a") == [["a", "1.0", "3.0", "0.250"]]
    assert "CUDA" not in report.memory(found, "p")
    found = {"a": dict(working=2**20, allocated=2**21, resident=None)}
    assert cells(report.memory(found, None), "a") == [["a", "1.0", "2.0"]] and "CUDA" in report.memory(found, None)


def test_table_of_compute():
    found = {"a": dict(flops=dict(step=6e9), matrix_product_rate=12e9)}
    text = report.compute(found, {"a": dict(step=dict(median=2.0))})
    assert cells(text, "a") == [["a", "step", "6.0", "3.0", "12.0", "25.0"]]
    assert "a multiply-add (MAC) is 2 FLOP" in text


def test_table_of_layers():
    layers = [
        dict(name="", type="Net", shapes=[], calls=1, forward_ms=1.0, backward_ms=2.0),
        dict(name="relu", type="ReLU", shapes=[(1, 2), (1, 3)], calls=2, forward_ms=10.0, backward_ms=20.0),
        dict(name="conv", type="Conv2d", shapes=[(1, 2, 3), (1, 2, 3)], calls=2, forward_ms=5.0, backward_ms=0.0),
    ]
    found = dict(step_ms=100.0, layers=layers, gradients_ms=4.0, optimizer_ms=8.0, rest_ms=50.0)
    text = report.layers({"a": found}, {"a": dict(step=dict(median=0.09))})
    assert "a, by layer: a profiled step of 100.0 ms; 90.0 ms without profiler" in text
    assert cells(text, "relu") == [["relu", "ReLU", "2 shapes", "2", "10.00", "20.00", "30.0"]]
    assert cells(text, "conv") == [["conv", "Conv2d", "1 x 2 x 3", "2", "5.00", "0.00", "5.0"]]
    assert cells(text, "(the network itself)")[0][3:] == ["1", "1.00", "2.00", "3.0"]
    assert [cells(text, name)[0][-3:] for name in ("all layers", "gradients", "optimizer", "rest", "step")] == [
        ["16.00", "22.00", "38.0"],
        ["", "4.00", "4.0"],
        ["8.00", "", "8.0"],
        ["50.00", "", "50.0"],
        ["100.00", "", "100.0"],
    ]


def test_table_of_a_sweep():
    line = dict(intercept=0.001, slope=2e-9, r2=0.987654, largest_deviation=0.035)
    growth = dict(computation="step", batch=2, shapes=[(10, 20), (20, 40)], seconds=[0.5, 1.0], line=line)
    text = report.sweep({"a": [growth, {**growth, "line": {**line, "largest_deviation": 0.01}}]})
    assert cells(text, "a")[0] == ["a", "step", "2", "500.00", "1000.00", "1.00", "2.00", "0.98765", "3.5"]
    assert "10 x 20" in text and "linearly with the area, within 3.5 %" in text
