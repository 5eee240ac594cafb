"""Trainings that go on: from other checkpoints than the last, after a stop, with something changed, in epochs."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from testing.utils import Outcome, assert_same_weights, run_tool, tiny_config, weights

from fcn_plugin.weights.checkpoint import read_checkpoint

RATE = {"optim_wrapper.optimizer.lr": 1e-3}
#: Of trainings that are validated, with figures that do not get better.
STOP = dict(type="EarlyStoppingHook", monitor="mIoU", patience=2, min_delta=90)


def train(config: Path, work_dir: Path, *arguments: object) -> Outcome:
    return run_tool("train.py", config, "--work-dir", work_dir, *arguments, cwd=config.parent).check()


def chain(folder: Path, voc: Path, **settings) -> Path:
    """Configs of FCN-32s and of FCN-16s after it; returns the latter's path."""
    common = {"train_cfg.max_iters": 4, "default_hooks.checkpoint.interval": 2, **RATE, **settings}
    first = tiny_config(folder, voc, "fcn32s_vgg16_camvid", **common)
    # the second does not change the weights
    still = {**common, "train_cfg.max_iters": 1, "optim_wrapper.optimizer.lr": 0.0}
    return tiny_config(folder, voc, "fcn16s_vgg16_camvid", earlier_stage=str(first), **still)


def rates(outcome: Outcome) -> list[float]:
    return [float(rate) for rate in re.findall(r"Iter\(train\).* lr: ([\d.e+-]+)", outcome.stdout)]


def validations(outcome: Outcome) -> int:
    return len(re.findall(r"Iter\(val\) .*mIoU", outcome.stdout))


def keep(source: Path, folder: Path, *names: str) -> Path:
    """A work directory with these files of another one."""
    folder.mkdir(parents=True)
    for name in names:
        shutil.copy(source / name, folder)
    return folder


class TestEarlyStopping:
    """With two validations of patience: the training stops after the third, at iteration 6 of 20."""

    @pytest.fixture(scope="class")
    def stopped(self, tmp_path_factory, voc) -> tuple[Path, Path, Outcome]:
        folder = tmp_path_factory.mktemp("stopped")
        settings = {"custom_hooks": [STOP], "train_cfg.val_interval": 2, "default_hooks.checkpoint.interval": 4}
        config = chain(folder, voc, **settings, **{"train_cfg.max_iters": 20})
        return config, folder / "work", train(config, folder / "work")

    def test_next_stage(self, stopped):
        config, work_dir, outcome = stopped
        assert sorted(file.name for file in (work_dir / "fcn32s").glob("*.pth")) == ["iter_4.pth", "iter_6.pth"]
        assert_same_weights(
            work_dir / "iter_1.pth", work_dir / "fcn32s/iter_6.pth", ["neck.fc6.weight", "decode_head.score_fr.weight"]
        )
        again = train(config, work_dir)
        assert f"1. fcn32s: done: {work_dir}/fcn32s/iter_6.pth" in again.stdout and "Nothing to train" in again.stdout

    def test_interrupted(self, stopped, tmp_path):
        """It stops where it would have: of the three validations two were made before the kill, the second in vain."""
        config, work_dir, _ = stopped
        resumed = keep(work_dir / "fcn32s", tmp_path / "fcn32s", "iter_4.pth")
        outcome = train(config.with_name("fcn32s.py"), resumed)
        assert "stage fcn32s" not in outcome.stdout and validations(outcome) == 2
        assert_same_weights(resumed / "iter_6.pth", work_dir / "fcn32s/iter_6.pth")
        (state,) = read_checkpoint(resumed / "iter_6.pth")["meta"]["early_stopping"]
        assert state["wait_count"] == 2


class TestAveraging:
    @pytest.fixture(scope="class")
    def averaged(self, tmp_path_factory, voc) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp("averaged")
        config = chain(folder, voc, custom_hooks=[dict(type="EMAHook", momentum=0.5)])
        train(config, folder / "work")
        return config, folder / "work"

    def test_next_stage_starts_from_averages(self, averaged):
        _, work_dir = averaged
        last = read_checkpoint(work_dir / "fcn32s/iter_4.pth")
        key = "decode_head.score_fr.weight"
        assert not torch.equal(last["state_dict"][key], last["ema_state_dict"][f"module.{key}"])
        assert_same_weights(work_dir / "iter_1.pth", work_dir / "fcn32s/iter_4.pth", [key, "neck.fc6.weight"])

    def test_resumed(self, averaged, tmp_path):
        config, work_dir = averaged
        resumed = keep(work_dir / "fcn32s", tmp_path / "work", "iter_2.pth")
        train(config.with_name("fcn32s.py"), resumed)
        assert_same_weights(resumed / "iter_4.pth", work_dir / "fcn32s/iter_4.pth")
        ours, theirs = (read_checkpoint(folder / "iter_4.pth") for folder in (resumed, work_dir / "fcn32s"))
        for name, value in theirs["ema_state_dict"].items():
            assert torch.equal(ours["ema_state_dict"][name], value), name


class TestBest:
    """The figures get worse with each validation: the rate is negative... the best checkpoint is not the last."""

    @pytest.fixture(scope="class")
    def trained(self, tmp_path_factory, voc) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp("best")
        settings = {"default_hooks.checkpoint.save_best": "mIoU", "default_hooks.checkpoint.rule": "less"}
        settings |= {"default_hooks.checkpoint.out_dir": str(folder / "elsewhere"), "train_cfg.val_interval": 2}
        settings |= {"default_hooks.checkpoint.filename_tmpl": "fcn_{:04d}.pth"}
        config = chain(folder, voc, **settings)
        train(config, folder / "work")
        return config, folder

    def test_next_stage(self, trained):
        config, folder = trained
        first = folder / "elsewhere/fcn32s"
        (best,) = first.glob("best_mIoU_fcn_*.pth")
        assert {"fcn_0002.pth", "fcn_0004.pth"} <= {file.name for file in first.iterdir()}
        (start,) = set(re.findall(r"Load checkpoint from (\S+)", "".join(
            file.read_text() for file in (folder / "work").glob("2*/*.log"))))
        assert start == str(best)
        assert_same_weights(folder / "elsewhere/work/fcn_0001.pth", best, ["neck.fc6.weight"])
