"""tools/train.py: interruptions, stages, wrong inputs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from testing.utils import ROOT, assert_same_weights, run_tool, tiny_config, weights

#: A learning rate at which the weights clearly move, for the loss summed over pixels.
FAST = {"optim_wrapper.optimizer.lr": 1e-5}
STAGES = ("fcn32s", "fcn16s", "fcn8s")


def make_stages(folder: Path, voc: Path, **settings) -> Path:
    """Write the configs of the three stages, of two iterations each; returns the last one's path."""
    earlier = None
    for model in STAGES:
        chain = {} if earlier is None else dict(earlier_stage=str(earlier))
        common = {"train_cfg.max_iters": 2, "default_hooks.checkpoint.interval": 1, **FAST, **settings}
        earlier = tiny_config(folder, voc, f"{model}_vgg16_voc", **chain, **common)
    return earlier


@pytest.fixture(scope="module")
def stages(tmp_path_factory, voc) -> tuple[Path, Path, str]:
    """Config of FCN-8s, the work directory where its three stages were trained, and what was printed."""
    folder = tmp_path_factory.mktemp("stages")
    config = make_stages(folder, voc)
    outcome = run_tool("train.py", config, "--work-dir", folder / "work", cwd=folder).check()
    return config, folder / "work", outcome.stdout


@pytest.fixture(scope="module")
def other_classes(tmp_path_factory, stages) -> Path:
    """A checkpoint of FCN-32s for seven classes."""
    checkpoint = torch.load(stages[1] / "fcn32s/iter_2.pth", weights_only=False)
    for key in ("score_fr.weight", "score_fr.bias", "upscore.weight"):
        checkpoint["state_dict"][f"decode_head.{key}"] = checkpoint["state_dict"][f"decode_head.{key}"][:7]
    path = tmp_path_factory.mktemp("classes") / "iter_2.pth"
    torch.save(checkpoint, path)
    return path


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory, voc) -> Path:
    settings = {"train_cfg.max_iters": 8, "default_hooks.checkpoint.interval": 2, "train_cfg.val_interval": 4}
    loader = {f"train_dataloader.{key}": value for key, value in dict(num_workers=2, batch_size=2).items()}
    rate = {"optim_wrapper.optimizer.lr": 1e-3}
    return tiny_config(tmp_path_factory.mktemp("c"), voc, "fcn32s_vgg16_camvid", **settings, **loader, **rate)


@pytest.fixture(scope="module")
def uninterrupted(mirrored) -> Path:
    work_dir = mirrored.parent / "uninterrupted"
    run_tool("train.py", mirrored, "--work-dir", work_dir, cwd=mirrored.parent).check()
    return work_dir / "iter_8.pth"


class TestInterruption:
    """A killed run goes on as if it had not been killed: with dropout, mirroring, workers and a falling rate."""

    def test_settings(self, uninterrupted):
        """The run has what could make the difference."""
        config = uninterrupted.with_name("fcn32s.py").read_text()
        for part in ("'SeededInfiniteSampler'", "'RandomFlip'", "'PolyLR'", "'AdamW'", "num_workers=2"):
            assert part in config
        assert "dropout_ratio" not in config  # 0.5 by default

    def test_killed(self, mirrored, uninterrupted, tmp_path):
        work_dir = tmp_path / "killed"
        arguments = ("train.py", mirrored, "--work-dir", work_dir)
        log = re.compile(r"Iter\(train\) \[ *3/8\]")

        def past_the_first_checkpoint() -> bool:
            return any(log.search(file.read_text()) for file in work_dir.glob("*/*.log"))

        killed = run_tool(*arguments, cwd=tmp_path, kill_when=past_the_first_checkpoint)
        assert killed.returncode == -9
        found = {file.name for file in work_dir.glob("*.pth")}
        assert found and "iter_8.pth" not in found
        resumed = run_tool(*arguments, cwd=tmp_path).check()
        assert re.search(r"1\. fcn32s: continue from .*iter_[246].pth \([246] of 8 iterations\)", resumed.stdout)
        assert_same_weights(work_dir / "iter_8.pth", uninterrupted)

    def test_truncated_checkpoint(self, mirrored, uninterrupted, tmp_path):
        """A kill while a checkpoint is written leaves the one before it."""
        work_dir = tmp_path / "truncated"
        work_dir.mkdir()
        shutil.copy(uninterrupted.with_name("iter_6.pth"), work_dir)
        (work_dir / "iter_8.pth").write_bytes(uninterrupted.read_bytes()[:-1000])
        outcome = run_tool("train.py", mirrored, "--work-dir", work_dir, cwd=tmp_path).check()
        assert "1. fcn32s: continue from " + str(work_dir / "iter_6.pth") in outcome.stdout
        assert "iter_8.pth is truncated" in outcome.stdout + outcome.stderr
        assert_same_weights(work_dir / "iter_8.pth", uninterrupted)


class TestStages:
    """FCN-32s, FCN-16s and FCN-8s by one command."""

    def test_plan(self, stages):
        lines = stages[2].splitlines()
        start = lines.index("Plan:")
        assert lines[start + 1 : start + 4] == [
            "  1. fcn32s: train 2 iterations",
            "  2. fcn16s: train 2 iterations from the weights of fcn32s",
            "  3. fcn8s: train 2 iterations from the weights of fcn16s",
        ]

    def test_work_dirs(self, stages):
        """The last stage is in --work-dir itself, and every stage keeps its own curves."""
        work_dir = stages[1]
        for folder in (work_dir / "fcn32s", work_dir / "fcn16s", work_dir):
            assert (folder / "iter_2.pth").is_file()
            assert len(list(folder.glob("*/vis_data/scalars.json"))) == 1, folder
            assert len(list(folder.glob("*/*.log"))) == 1

    def test_nothing_to_train(self, stages):
        config, work_dir, _ = stages
        before = {file: file.stat().st_mtime_ns for file in work_dir.rglob("*")}
        outcome = run_tool("train.py", config, "--work-dir", work_dir, cwd=work_dir).check()
        assert f"3. fcn8s: done: {work_dir / 'iter_2.pth'}" in outcome.stdout
        assert "Nothing to train" in outcome.stdout
        assert {file: file.stat().st_mtime_ns for file in work_dir.rglob("*")} == before

    def test_weights_are_handed_over(self, stages, voc, tmp_path):
        """With a learning rate of 0, a stage ends with the weights that the one before it handed over."""
        config, trained, _ = stages
        for name in ("fcn16s", "fcn32s"):
            shutil.copy(config.with_name(f"{name}.py"), tmp_path)
        still = {"optim_wrapper.optimizer.lr": 0.0}
        shutil.copytree(trained / "fcn32s", tmp_path / "work/fcn32s")
        options = [f"{key}={value}" for key, value in still.items()]
        outcome = run_tool(
            "train.py", config, "--work-dir", tmp_path / "work", "--cfg-options", *options, cwd=tmp_path
        ).check()
        assert "not taken over from the earlier stage: decode_head.upscore.weight" in outcome.stdout
        told = "fcn32s is done, with other settings than it would be trained with now: optim_wrapper.optimizer.lr: 1e-0"
        assert told in outcome.stdout + outcome.stderr
        first, last = (weights(tmp_path / "work" / name / "iter_2.pth") for name in ("fcn32s", ""))
        shared = sorted(first.keys() & last.keys())
        assert len(shared) == 2 * (13 + 2 + 1)  # weights and biases of VGG16, of fc6 and fc7, and of score_fr
        assert first["decode_head.score_fr.weight"].abs().max() > 1e-3
        for name in ("fcn16s", ""):
            assert_same_weights(tmp_path / "work" / name / "iter_2.pth", trained / "fcn32s/iter_2.pth", shared)
        assert last["decode_head.score_pool3.weight"].abs().max() == 0

    def test_killed_in_the_second_stage(self, stages, voc, tmp_path):
        config, uninterrupted, _ = stages
        work_dir = tmp_path / "work"
        arguments = ("train.py", config, "--work-dir", work_dir)
        killed = run_tool(*arguments, cwd=tmp_path, kill_when=(work_dir / "fcn16s/iter_1.pth").exists)
        assert killed.returncode == -9
        assert not (work_dir / "iter_1.pth").exists()
        first = (work_dir / "fcn32s/iter_2.pth").stat().st_mtime_ns
        resumed = run_tool(*arguments, cwd=tmp_path).check()
        assert "1. fcn32s: done" in resumed.stdout
        assert (work_dir / "fcn32s/iter_2.pth").stat().st_mtime_ns == first
        assert_same_weights(work_dir / "iter_2.pth", uninterrupted / "iter_2.pth")

    def test_stage_only(self, stages, tmp_path):
        config = stages[0]
        outcome = run_tool("train.py", config, "--stage-only", cwd=tmp_path).check()
        assert re.findall(r"^  \d\. .*", outcome.stdout, re.M) == ["  1. fcn8s: train 2 iterations"]
        assert [folder.name for folder in (tmp_path / "work_dirs").iterdir()] == ["fcn8s"]
        assert (tmp_path / "work_dirs/fcn8s/iter_2.pth").is_file()

    def test_load_from(self, stages, tmp_path):
        """Explicit weights take the place of the earlier stages."""
        config, trained, _ = stages
        start = trained / "fcn16s/iter_2.pth"
        options = [f"load_from={start}", "optim_wrapper.optimizer.lr=0."]
        outcome = run_tool("train.py", config, "--cfg-options", *options, cwd=tmp_path).check()
        plan = re.findall(r"^  \d\. .*", outcome.stdout, re.M)
        assert plan == [f"  1. fcn8s: train 2 iterations from {start}"]
        shared = ["decode_head.score_fr.weight", "decode_head.score_pool4.weight", "neck.fc6.weight"]
        assert_same_weights(tmp_path / "work_dirs/fcn8s/iter_2.pth", start, shared)

    def test_another_number_of_classes(self, stages, other_classes, tmp_path):
        """The stages before must fit: a stale directory is not taken over."""
        (tmp_path / "fcn32s").mkdir()
        shutil.copy(other_classes, tmp_path / "fcn32s/iter_2.pth")
        outcome = run_tool("train.py", stages[0], "--work-dir", tmp_path, cwd=tmp_path)
        assert outcome.returncode == 1
        (error,) = outcome.errors
        assert "was trained for 7 classes, fcn32s has 21" in error
        assert [path.name for path in tmp_path.iterdir()] == ["fcn32s"]


class Malicious:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def wrong_inputs(folder: Path, voc: Path, config: Path, checkpoint: Path, other_classes: Path, case: str) -> tuple:
    """Arguments of the tool, and a part of the message that is expected."""
    if case == "config":
        return ("missing.py",), "there is no config missing.py"
    if case == "syntax":
        (folder / "wrong.py").write_text("model = dict(\n")
        return ("wrong.py",), "the config wrong.py is not valid Python: "
    if case == "data":
        return (config, "--data-root", "nowhere"), "nowhere/JPEGImages, which does not exist. Run `fcn prepare"
    if case == "list":
        return (config, "--cfg-options", "val_dataloader.dataset.ann_file=gone.txt"), f"{voc}/gone.txt, which does not"
    bad = folder / "bad.pth"
    if case.startswith("truncated"):
        bad.write_bytes(checkpoint.read_bytes()[:-500])
    elif case.startswith("malicious"):
        torch.save(dict(state_dict=dict(weight=torch.zeros(1)), trap=Malicious(folder / "trapped")), bad)
    elif case == "garbage":
        bad.write_bytes(bytes(range(256)) * 16)
    if case.endswith("pretrained"):
        pretrained = dict(_delete_=True, type="Pretrained", checkpoint=str(bad))
        path = tiny_config(folder, voc, **{"model.backbone.init_cfg": pretrained})
        missing = f"the pretrained weights of backbone: there is no weight file {bad}"
        return (path,), missing if case == "missing_pretrained" else f"{bad} is truncated, or not"
    if case == "missing_load_from":
        return (config, "--cfg-options", f"load_from={bad}"), f"there is no weight file {bad}"
    if case == "other_classes":
        return (config, "--cfg-options", f"load_from={other_classes}"), "has 7 classes, the config 21"
    message = "starts with b" if case == "garbage" else "is truncated, or not a checkpoint"
    return (config, "--cfg-options", f"load_from={bad}"), f"{bad} {message}"


CASES = [
    *("config", "syntax", "data", "list"),
    *("missing_pretrained", "truncated_pretrained", "malicious_pretrained"),
    *("missing_load_from", "truncated_load_from", "malicious_load_from", "garbage", "other_classes"),
]


@pytest.mark.parametrize("case", CASES)
def test_wrong_input(case, stages, other_classes, voc, tmp_path):
    """One line says what is wrong; nothing is trained, and nothing of an unsafe file is run."""
    config = stages[0].with_name("fcn32s.py")
    checkpoint = stages[1] / "fcn32s/iter_2.pth"
    arguments, message = wrong_inputs(tmp_path, voc, config, checkpoint, other_classes, case)
    outcome = run_tool("train.py", *arguments, cwd=tmp_path)
    assert outcome.returncode == 1
    (error,) = outcome.errors
    assert error.startswith("error: ") and message in error
    assert not (tmp_path / "trapped").exists()
    assert not list((tmp_path / "work_dirs").rglob("*.pth"))
    assert not (tmp_path / "work_dirs").exists()


def test_unknown_key(stages, tmp_path):
    """A misspelt option of a component is named."""
    options = "model.backbone.paddding=1"
    outcome = run_tool("train.py", stages[0], "--stage-only", "--cfg-options", options, cwd=tmp_path)
    assert outcome.returncode == 1
    assert "paddding" in outcome.stderr.splitlines()[-1]


def test_as_a_script(tmp_path):
    """Started by the shell, without this file's helpers."""
    command = [sys.executable, ROOT / "tools/train.py", "missing.py"]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert outcome.returncode == 1
    assert outcome.stderr.splitlines()[-1] == "error: there is no config missing.py"


def test_amp(voc, tmp_path):
    """bfloat16 on the CPU with the widths at which its 1x1 convolutions corrupt memory: 4096 to 11 channels."""
    settings = {
        "model.backbone.padding": 1,
        "model.neck.channels": 4096,
        "model.neck.fc6_kernel": 1,
        "model.neck.fc6_padding": "same",
        "model.decode_head.in_channels": [4096],
        "optim_wrapper.optimizer.lr": 1e-3,
    }
    config = tiny_config(tmp_path, voc, "fcn32s_vgg16_camvid", **settings)
    outcome = run_tool("train.py", config, "--amp", "--work-dir", tmp_path / "work", cwd=tmp_path).check()
    assert "BF16OptimWrapper" in (tmp_path / "work/fcn32s.py").read_text()
    losses = [float(value) for value in re.findall(r"Iter\(train\).* loss: ([\d.naif]+)", outcome.stdout)]
    assert len(losses) == 4 and all(0 < loss < 1e4 for loss in losses)
    early, late = weights(tmp_path / "work/iter_2.pth"), weights(tmp_path / "work/iter_4.pth")
    for key in ("neck.fc7.weight", "backbone.conv1_1.weight", "decode_head.score_fr.weight"):
        assert late[key].dtype == torch.float32 and late[key].isfinite().all()
        assert not torch.equal(early[key], late[key])
