"""tools/benchmark.py."""

import json
import sys

import pytest
from testing.utils import ROOT, run, tiny_config


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("config")
    return tiny_config(folder, folder)


def test_numbers(tmp_path, config):
    file = tmp_path / "numbers.json"
    arguments = ("--shape", 12, 17, "--batch", 2, "--dtype", "fp32", "--device", "cpu", "--repeats", 2, "--threads", 1)
    tool = (sys.executable, ROOT / "tools/benchmark.py", config, *arguments, "--layers", "--json", file)
    outcome = run(*tool, cwd=tmp_path).check()
    found = json.loads(file.read_text())
    expected = dict(shape=[12, 17], batch=2, device="cpu", threads=1, peer=None, config=str(config))
    assert found["options"].items() >= expected.items()
    forward, step = found["times"]
    assert len(forward["all ms"]) == 2 and 0 < forward["ms"] < step["ms"]
    assert found["memory"][0]["working MiB"] > 0 and found["compute"][0]["GFLOP"] > 0
    assert found["sides"][0]["threads"] == 1
    assert "backbone.conv1_1" in [row["layer"] for row in found["ours fp32, by layer"]]
    assert "2 x 12 x 17 pixels, cpu" in outcome.stdout and "| side      | computation |" in outcome.stdout
    assert "paramwise_options" not in outcome.stdout + outcome.stderr and "USDT" not in outcome.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.json"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--shape", 0, 5], "--shape must be more than 0, got [0, 5]"),
        (["--repeats", 0], "--repeats must be more than 0, got 0"),
        (["--dtype", "fp32", "fp16"], "--dtype must be fp32 or bf16, got 'fp16'"),
        (["--json", "none/numbers.json"], "there is no directory none to write numbers.json to"),
    ],
)
def test_wrong_inputs(config, arguments, message, refuses, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # the command sets it: for this test alone
    monkeypatch.setenv("KINETO_LOG_LEVEL", "99")
    assert refuses(message, "benchmark", config, "--device", "cpu", *arguments) == ""
