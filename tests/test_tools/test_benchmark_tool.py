"""tools/benchmark.py."""

import json
import re
import sys

import pytest
import torch
from testing.utils import ROOT, run, run_tool, tiny_config


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("config")
    return tiny_config(folder, folder)


def test_numbers(tmp_path, config):
    file = tmp_path / "numbers.json"
    arguments = ("--shape", 12, 17, "--batch", 2, "--dtype", "fp32", "--device", "cpu", "--repeats", 2, "--threads", 1)
    tool = (sys.executable, ROOT / "tools/benchmark.py", config, *arguments, "--width", 0.5, "--layers", "--json", file)
    outcome = run(*tool, cwd=tmp_path).check()
    found = json.loads(file.read_text())
    expected = dict(shape=[12, 17], batch=2, device="cpu", threads=1, width=0.5, seed=0, peer=None, config=str(config))
    assert found["setting"].items() >= expected.items() and (found["dtypes"], found["repeats"]) == (["fp32"], 2)
    assert found["machine"]["torch"] == torch.__version__ and found["machine"]["threads"] == 1
    times = found["times"]["ours fp32"]
    assert len(times["forward"]["seconds"]) == 2 and 0 < times["forward"]["median"] < times["step"]["median"]
    assert found["memory"]["ours fp32"]["working"] > 0 and found["compute"]["ours fp32"]["flops"]["forward"] > 0
    layers = found["layers"]["ours fp32"]
    assert "backbone.conv1_1" in [layer["name"] for layer in layers["layers"]] and "sweep" not in found
    assert "pixels\ncpu: " in outcome.stdout and outcome.stdout.count("ours fp32") >= 7
    assert "paramwise_options" not in outcome.stdout + outcome.stderr and "USDT" not in outcome.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.json"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--shape", 0, 5], "error: height, width and batch must be 1 or more, got 0, 5, 1"),
        (["--repeats", 0], "error: --repeats must be 1 or more, got 0"),
        (["--json", "none/numbers.json"], "error: there is no directory none to write numbers.json to"),
        (["--peer", "torchfcn", "--width", 0.5], "error: torchfcn has one width: leave out --width 0.5, or --peer"),
        pytest.param(
            ["--device", "cuda"],
            "error: there is no CUDA device: use --device cpu",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_wrong_inputs(tmp_path, config, arguments, message):
    outcome = run_tool("benchmark.py", config, "--device", "cpu", *arguments, cwd=tmp_path)
    assert outcome.returncode == 1 and len(outcome.errors) == 1
    assert re.search(message, outcome.stderr), outcome.stderr
    assert "pixels" not in outcome.stdout and not list(tmp_path.iterdir())


def test_missing_config(tmp_path):
    assert run_tool("benchmark.py", "none.py", cwd=tmp_path).errors == ["error: there is no config none.py"]
