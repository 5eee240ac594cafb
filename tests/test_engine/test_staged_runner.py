"""The runner that the config names, started as the toolbox does it, and what a plain Runner does with such a config."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from testing.utils import Outcome, assert_same_weights, run_tool, tiny_config, weights
from testing.weight_files import fcn_weights, write_caffemodel

from fcn_plugin.weights.checkpoint import read_checkpoint

SCRIPT = """
import sys
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

starter, method, config, work_dir, *options = sys.argv[1:]
cfg = Config.fromfile(config)
cfg.merge_from_dict(eval(options[0]) if options else {})
cfg.work_dir = work_dir
runner = RUNNERS.build(cfg) if starter == "registry" else Runner.from_cfg(cfg)
print("result:", type(getattr(runner, method)()).__name__)
"""
#: Replaces the hooks of default_runtime.py.
HOOKS = [dict(type="EMAHook")]


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("script") / "start.py"
    path.write_text(SCRIPT)
    return path


def start(script: Path, *arguments: object, starter: str = "registry") -> Outcome:
    return run_tool(script, starter, *arguments, cwd=script.parent).check()


@pytest.fixture(scope="module")
def config(tmp_path_factory, voc) -> Path:
    """Of FCN-32s, with dropout, two iterations in float32, and hooks that are not the shipped ones."""
    settings = {"train_cfg.max_iters": 2, "default_hooks.checkpoint.interval": 1, "precision": "float32"}
    settings["train_cfg.val_interval"] = 1  # whose figures are in the checkpoints
    rate = {"optim_wrapper.optimizer.lr": 1e-3, "custom_hooks": HOOKS}
    return tiny_config(tmp_path_factory.mktemp("config"), voc, "fcn32s_vgg16_camvid", **settings, **rate)


@pytest.fixture(scope="module")
def trained(script, config) -> tuple[Path, Outcome]:
    work_dir = config.parent / "work"
    return work_dir, start(script, "train", config, work_dir)


def test_hooks_that_are_always_there(trained):
    """Of the config, EMAHook alone."""
    work_dir, outcome = trained
    assert "result: AlignedEncoderDecoder" in outcome.stdout
    hooks = set(re.findall(r"\) (\w+Hook) ", outcome.stdout))
    required = {"CheckpointCheckHook", "IterationSeedHook", "BroadcastBuffersHook", "FiniteCheckHook", "StopHook"}
    assert required | {"ResumeHook", "EMAHook"} <= hooks
    assert "ClassMetricsHook" not in hooks
    meta = read_checkpoint(work_dir / "iter_2.pth")["meta"]
    assert meta["precision"] == "float32" and meta["preprocessing"]["mean"] == [104.00699, 116.66877, 122.67892]


def with_a_trap(checkpoint: Path, copy: Path) -> Path:
    """Copy a checkpoint, with a text for its config that makes a directory if it is run; returns the directory."""
    content = read_checkpoint(checkpoint)
    trapped = copy.with_name("trapped")
    content["meta"].update(dict.fromkeys(("cfg", "config"), f"import os\nos.mkdir({str(trapped)!r})\n"))
    copy.parent.mkdir(exist_ok=True)
    torch.save(content, copy)
    return trapped


def test_no_text_of_a_checkpoint_is_run(script, config, trained, tmp_path):
    """A resumed training is the same as one that was not interrupted."""
    trapped = with_a_trap(trained[0] / "iter_1.pth", tmp_path / "work/iter_1.pth")
    outcome = start(script, "train", config, tmp_path / "work")
    assert "1. fcn32s: continue from" in outcome.stdout and "the checkpoint was trained in" not in outcome.stdout
    assert not trapped.exists()
    assert_same_weights(tmp_path / "work/iter_2.pth", trained[0] / "iter_2.pth")


def test_another_precision_is_told(script, config, trained, tmp_path):
    shutil.copy(trained[0] / "iter_1.pth", tmp_path)
    outcome = start(script, "train", config, tmp_path, dict(precision="bfloat16", accept_changes=True))
    (warning,) = [line for line in outcome.stdout.splitlines() if "WARNING - the checkpoint was trained" in line]
    assert "trained in float32, and this run computes in bfloat16, so figures may differ slightly: set" in warning
    assert read_checkpoint(tmp_path / "iter_2.pth")["meta"]["precision"] == "bfloat16"


def test_nothing_to_train(script, config, trained):
    """Gives the model that was trained."""
    before = {file: file.stat().st_mtime_ns for file in trained[0].rglob("*")}
    outcome = start(script, "train", config, trained[0])
    assert "Nothing to train" in outcome.stdout and "result: AlignedEncoderDecoder" in outcome.stdout
    assert {file: file.stat().st_mtime_ns for file in trained[0].rglob("*")} == before


def test_validation(script, config, trained, tmp_path):
    options = dict(load_from=str(trained[0] / "iter_2.pth"))
    outcome = start(script, "val", config, tmp_path / "work", options)
    assert "result: dict" in outcome.stdout and len(re.findall(r"Iter\(val\) .*mIoU: [\d.]+", outcome.stdout)) == 1


@pytest.mark.parametrize("starter", ["registry", "plain"])
def test_weights_of_another_source(starter, script, voc, tmp_path):
    """The reference's own format, in a training that does not change them; a plain Runner says what it does not do."""
    tensors = fcn_weights(skips=())
    write_caffemodel(tmp_path / "fcn32s.caffemodel", tensors)
    settings = {
        "train_cfg.max_iters": 1,
        "default_hooks.checkpoint.interval": 1,
        "optim_wrapper.optimizer.lr": 0.0,
        "load_from": str(tmp_path / "fcn32s.caffemodel"),
    }
    config = tiny_config(tmp_path, voc, **settings)
    outcome = start(script, "train", config, tmp_path / "work", starter=starter)
    loaded = weights(tmp_path / "work/iter_1.pth")
    assert torch.equal(loaded["backbone.conv3_2.weight"], tensors["conv3_2.weight"])
    assert torch.equal(loaded["decode_head.score_fr.weight"], tensors["score_fr.weight"])
    warnings = [line for line in outcome.stdout.splitlines() if "WARNING - this is a plain Runner" in line]
    assert ("Plan:" in outcome.stdout, len(warnings)) == ((True, 0) if starter == "registry" else (False, 1))
    assert all(line.endswith("tools/train.py or mmengine.registry.RUNNERS.build(cfg).train()") for line in warnings)


def test_a_plain_runner_runs_no_text_of_a_checkpoint(script, config, trained, tmp_path):
    """With the hooks of default_runtime.py: its CheckpointCheckHook reads the checkpoint."""
    trapped = with_a_trap(trained[0] / "iter_1.pth", tmp_path / "iter_1.pth")
    hooks = [dict(type="CheckpointCheckHook"), dict(type="IterationSeedHook"), *HOOKS]
    options = dict(load_from=str(tmp_path / "iter_1.pth"), resume=True, custom_hooks=hooks)
    start(script, "train", config, tmp_path / "work", options, starter="plain")
    assert not trapped.exists()
    assert_same_weights(tmp_path / "work/iter_2.pth", trained[0] / "iter_2.pth")
