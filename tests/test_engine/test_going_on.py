"""Trainings that go on: from other checkpoints than the last, after a stop, with something changed, in epochs."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from testing.utils import Outcome, assert_same_weights, run_tool, tiny_config

from fcn_plugin.checks.resume import changes_since
from fcn_plugin.engine.precision import set_precision
from fcn_plugin.weights.checkpoint import read_checkpoint

RATE = {"optim_wrapper.optimizer.lr": 1e-3}
#: Of trainings that are validated, with figures that do not get better.
STOP = dict(type="EarlyStoppingHook", monitor="mIoU", patience=2, min_delta=90)
HEAD = ["decode_head.score_fr.weight", "neck.fc6.weight"]


def train(config: Path, work_dir: Path, *options: str, accept: bool = False) -> Outcome:
    words = ["--work-dir", work_dir, *(["--accept-changes"] if accept else [])]
    return run_tool("train.py", config, *words, *(["--cfg-options", *options] if options else []), cwd=config.parent)


def chain(folder: Path, voc: Path, **settings) -> Path:
    """Configs of FCN-32s and of FCN-16s after it, which does not change the weights; returns the latter's path."""
    common = {"train_cfg.max_iters": 4, "default_hooks.checkpoint.interval": 2, **RATE, **settings}
    first = tiny_config(folder, voc, "fcn32s_vgg16_camvid", **common)
    still = {**common, "train_cfg.max_iters": 1, "optim_wrapper.optimizer.lr": 0.0}
    return tiny_config(folder, voc, "fcn16s_vgg16_camvid", earlier_stage=str(first), **still)


def keep(source: Path, folder: Path, *names: str) -> Path:
    """A work directory with some files of another one."""
    folder.mkdir(parents=True)
    for name in names:
        shutil.copy(source / name, folder)
    return folder


def rates(outcome: Outcome) -> list[float]:
    return [float(rate) for rate in re.findall(r"Iter\(train\).* lr: ([\d.e+-]+)", outcome.stdout)]


def validations(outcome: Outcome) -> int:
    return len(re.findall(r"Iter\(val\) .*mIoU", outcome.stdout))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, voc) -> tuple[Path, Path]:
    """Config of FCN-16s, and where it was trained; FCN-32s was stopped at the third validation, iteration 6 of 20."""
    folder = tmp_path_factory.mktemp("stopped")
    settings = {"custom_hooks": [STOP], "train_cfg.val_interval": 2, "default_hooks.checkpoint.interval": 4}
    config = chain(folder, voc, **settings, **{"train_cfg.max_iters": 20})
    train(config, folder / "work").check()
    return config, folder / "work"


@pytest.fixture(scope="module")
def averaged(tmp_path_factory, voc) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("averaged")
    config = chain(folder, voc, custom_hooks=[dict(type="EMAHook", momentum=0.5)])
    train(config, folder / "work").check()
    return config, folder / "work"


class TestEarlyStopping:
    def test_next_stage(self, stopped):
        config, work_dir = stopped
        assert sorted(file.name for file in (work_dir / "fcn32s").glob("*.pth")) == ["iter_4.pth", "iter_6.pth"]
        assert_same_weights(work_dir / "iter_1.pth", work_dir / "fcn32s/iter_6.pth", HEAD)
        again = train(config, work_dir).check()
        assert f"1. fcn32s: done: {work_dir}/fcn32s/iter_6.pth" in again.stdout and "Nothing to train" in again.stdout

    def test_interrupted(self, stopped, tmp_path):
        """It stops where it would have: of three validations two were made before the kill, the second in vain."""
        config, work_dir = stopped
        resumed = keep(work_dir / "fcn32s", tmp_path / "fcn32s", "iter_4.pth")
        outcome = train(config.with_name("fcn32s.py"), resumed).check()
        assert validations(outcome) == 2
        assert_same_weights(resumed / "iter_6.pth", work_dir / "fcn32s/iter_6.pth")
        assert read_checkpoint(resumed / "iter_6.pth")["meta"]["early_stopping"][0]["wait_count"] == 2


class TestAveraging:
    def test_next_stage_starts_from_averages(self, averaged):
        work_dir = averaged[1]
        last = read_checkpoint(work_dir / "fcn32s/iter_4.pth")
        assert not torch.equal(last["state_dict"][HEAD[0]], last["ema_state_dict"][f"module.{HEAD[0]}"])
        assert_same_weights(work_dir / "iter_1.pth", work_dir / "fcn32s/iter_4.pth", HEAD)

    def test_resumed(self, averaged, tmp_path):
        config, work_dir = averaged
        resumed = keep(work_dir / "fcn32s", tmp_path / "work", "iter_2.pth")
        train(config.with_name("fcn32s.py"), resumed).check()
        ours, theirs = (read_checkpoint(folder / "iter_4.pth") for folder in (resumed, work_dir / "fcn32s"))
        for weights in ("state_dict", "ema_state_dict"):
            assert ours[weights].keys() == theirs[weights].keys()
            for name, value in theirs[weights].items():
                assert torch.equal(ours[weights][name], value), name


def test_best_checkpoint_is_handed_over(voc, tmp_path):
    """In a directory and by names of its own; the figures get better, and the lowest counts as the best."""
    hook = dict(save_best="mIoU", rule="less", out_dir=str(tmp_path / "elsewhere"), filename_tmpl="fcn_{:04d}.pth")
    settings = {f"default_hooks.checkpoint.{key}": value for key, value in hook.items()}
    config = chain(tmp_path, voc, **settings, **{"train_cfg.val_interval": 2})
    outcome = train(config, tmp_path / "work").check()
    first = tmp_path / "elsewhere/fcn32s"
    best, last = first / "best_mIoU_fcn_0002.pth", first / "fcn_0004.pth"
    assert f"Load checkpoint from {best}" in outcome.stdout
    assert_same_weights(tmp_path / "elsewhere/work/fcn_0001.pth", best, HEAD)
    assert not torch.equal(*(read_checkpoint(file)["state_dict"][HEAD[0]] for file in (best, last)))
    shutil.move(tmp_path / "elsewhere", tmp_path / "moved")
    shutil.rmtree(tmp_path / "moved/work")
    (tmp_path / "moved/fcn32s" / best.name).unlink()
    outcome = train(config, tmp_path / "work", f"default_hooks.checkpoint.out_dir={tmp_path / 'moved'}")
    assert f"there is no {tmp_path}/moved/fcn32s/{best.name}, the best checkpoint of fcn32s" in outcome.errors[0]


@pytest.fixture(scope="module")
def validated(tmp_path_factory, voc) -> tuple[Path, Path]:
    """Config and work directory of four iterations, with a checkpoint and a validation after each second."""
    folder = tmp_path_factory.mktemp("validated")
    settings = {"train_cfg.val_interval": 2, "default_hooks.checkpoint.interval": 2, **RATE}
    config = tiny_config(folder, voc, "fcn32s_vgg16_camvid", **settings)
    train(config, folder / "work").check()
    return config, folder / "work"


@pytest.mark.parametrize(
    "checkpoint, noted, number", [("iter_2.pth", None, 2), ("iter_2.pth", 2, 1), ("iter_4.pth", None, 1)]
)
def test_validation_that_was_cut_off(validated, tmp_path, checkpoint, noted, number):
    """Is made before the training goes on; one that was made is not made again."""
    config, work_dir = validated
    resumed = keep(work_dir, tmp_path / "work", checkpoint)
    if noted:
        (resumed / "last_validation").write_text(str(noted))
    outcome = train(config, resumed).check()
    assert validations(outcome) == number
    steps = [int(step) for step in re.findall(r"validate after (\d) iterations", outcome.stdout)]
    assert steps == ([] if noted else [int(checkpoint[5])])
    assert_same_weights(resumed / "iter_4.pth", work_dir / "iter_4.pth")
    assert f"1. fcn32s: done: {resumed}/iter_4.pth" in train(config, resumed).check().stdout


class TestAcceptedChanges:
    def test_refused_without(self, validated, tmp_path):
        config, work_dir = validated
        resumed = keep(work_dir, tmp_path / "work", "iter_4.pth", "last_validation")
        before = sorted(resumed.iterdir())
        outcome = train(config, resumed, "train_cfg.max_iters=8", "optim_wrapper.optimizer.lr=0.01")
        assert outcome.returncode == 1
        assert outcome.errors == [
            f"error: {resumed}/iter_4.pth was trained with other settings than it would go on with:"
            " optim_wrapper.optimizer.lr: 0.001 then, 0.01 now; param_scheduler.0.end: 4 then, 8 now. Give the old"
            " settings, another --work-dir to start anew, or --accept-changes to go on with the new ones"
            " (accept_changes=True in a config); the result is then not that of one uninterrupted training"
        ]
        assert sorted(resumed.iterdir()) == before

    def test_rates_are_those_of_the_config(self, validated, tmp_path):
        """From the iteration of the checkpoint on, as if it had been so from the beginning; the momentum is kept."""
        config, work_dir = validated
        options = ("train_cfg.max_iters=8", "optim_wrapper.optimizer.lr=0.01", "randomness.seed=3")
        resumed = keep(work_dir, tmp_path / "work", "iter_4.pth", "last_validation")
        outcome = train(config, resumed, *options, accept=True).check()
        expected = [0.01 * (1 - step / 7) ** 0.9 for step in range(8)]
        assert rates(outcome) == pytest.approx([0.2 * rate for rate in expected[4:]], rel=1e-3)  # of the backbone
        (warning,) = [line for line in outcome.stdout.splitlines() if "goes on with changed settings" in line]
        assert "no longer one uninterrupted training: optim_wrapper.optimizer.lr: 0.001 then, 0.01 now;" in warning
        assert "accept_changes" not in (resumed / "fcn32s.py").read_text()
        content = read_checkpoint(resumed / "iter_8.pth")
        assert content["meta"]["seed"] == content["meta"]["run"]["randomness.seed"] == 3
        assert {float(state["step"]) for state in content["optimizer"]["state"].values()} == {8}
        assert "done" in train(config, resumed, *options).check().stdout  # it is what it has been trained with


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, []),
        ({"optim_wrapper.optimizer.fused": False, "model.backbone.with_cp": True}, []),
        ({"optim_wrapper.optimizer.lr": 0.01}, ["optim_wrapper.optimizer.lr: 0.0002 then, 0.002 now"]),
        ({"optim_wrapper.paramwise_cfg": None}, ["optim_wrapper.paramwise_cfg: 32 groups of parameters then, 1 now"]),
        ({"train_cfg.max_iters": 9}, ["param_scheduler.0.end: 4 then, 9 now"]),
        ({"param_scheduler": None}, ["param_scheduler: [{'end': 4}] then, [] now"]),
        ({"randomness.seed": None}, []),
        ({"randomness.seed": 5}, ["randomness.seed: 0 then, 5 now"]),
        ({"custom_hooks": [dict(type="EMAHook")]}, ["EMAHook: [] then, [{'type': 'EMAHook'}] now"]),
        ({"train_dataloader.batch_size": 2}, []),  # is not known
    ],
)
def test_checkpoint_of_an_older_version(validated, options, expected):
    """Which does not note the facts of its training: what else is in it is compared."""
    config, work_dir = validated
    checkpoint = read_checkpoint(work_dir / "iter_2.pth")
    del checkpoint["meta"]["run"]
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options)
    set_precision(cfg)
    assert list(map(str, changes_since(checkpoint, cfg))) == expected


def test_epochs(voc, tmp_path):
    """A config without stages: trained, interrupted, resumed and done."""
    settings = {"train_dataloader.sampler": dict(type="DefaultSampler"), "train_dataloader.batch_size": 2}
    settings |= {
        "optim_wrapper.optimizer.lr": 1e-9,
        "default_hooks.checkpoint": dict(by_epoch=True, interval=1),
        "log_processor.by_epoch": True,
    }
    config = tiny_config(tmp_path, voc, "fcn32s_vgg16_voc", **settings)
    text = config.read_text() + "\ntrain_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=2)\n"
    config.write_text(text + "param_scheduler = [dict(type='PolyLR', by_epoch=True)]\n")
    outcome = train(config, tmp_path / "work").check()
    assert "1. fcn32s: train 2 epochs" in outcome.stdout
    resumed = keep(tmp_path / "work", tmp_path / "resumed", "epoch_1.pth", "last_validation")
    outcome = train(config, resumed).check()
    assert f"1. fcn32s: continue from {resumed}/epoch_1.pth (1 of 2 epochs)" in outcome.stdout
    assert_same_weights(resumed / "epoch_2.pth", tmp_path / "work/epoch_2.pth")
    assert f"1. fcn32s: done: {resumed}/epoch_2.pth" in train(config, resumed).check().stdout
