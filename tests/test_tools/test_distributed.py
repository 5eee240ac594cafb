"""Several CPU processes, on one node and on two, must do what one process does."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from testing.utils import (
    ROOT,
    Outcome,
    assert_same_weights,
    finish,
    free_port,
    run,
    run_tool,
    started,
    tiny_config,
    weights,
)

from fcn_plugin.visualization.run_log import read_json_lines

RECIPES = {
    "sum": dict(optim_wrapper=dict(optimizer=dict(lr=1e-5))),
    "mean": dict(
        model=dict(decode_head=dict(loss_decode=dict(reduction="mean", class_weight=[1.0] * 5 + [3.0] * 16))),
        optim_wrapper=dict(optimizer=dict(lr=1e-2)),
    ),
}
#: Dropout would differ, which is drawn in each process, and so would what bfloat16 rounds.
SAME = {"model.neck.dropout_ratio": 0.0, "precision": "float32"}


@pytest.fixture(scope="module")
def configs(tmp_path_factory, voc) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("configs")
    return {name: tiny_config(folder, voc, name=name, **recipe, **SAME) for name, recipe in RECIPES.items()}


@pytest.fixture(scope="module")
def single(tmp_path_factory, configs) -> dict[str, Path]:
    """Work directories of one process with two images a batch, by recipe."""
    folder = tmp_path_factory.mktemp("single")
    for name, config in configs.items():
        two_images = "train_dataloader.batch_size=2"
        run_tool("train.py", config, "--work-dir", folder / name, "--cfg-options", two_images, cwd=folder).check()
    return {name: folder / name for name in configs}


def train_on_one_node(config: Path, work_dir: Path) -> list[Outcome]:
    command = ("bash", ROOT / "tools/dist_train.sh", config, 2, "--work-dir", work_dir)
    return [run(*command, cwd=work_dir.parent, PORT=free_port())]


def train_on_two_nodes(config: Path, work_dir: Path) -> list[Outcome]:
    command = ("bash", ROOT / "tools/dist_train.sh", config, 1, "--work-dir", work_dir)
    nodes = dict(cwd=work_dir.parent, NNODES=2, PORT=free_port())
    with started(*command, **nodes, NODE_RANK=1) as second, started(*command, **nodes, NODE_RANK=0) as first:
        return [finish(first), finish(second)]


def check_same_training(outcomes: list[Outcome], actual: Path, expected: Path) -> None:
    for outcome in outcomes:
        outcome.check()
        assert "bucket view strides" not in outcome.stderr
    assert sum(outcome.stdout.count("Plan:") for outcome in outcomes) == 1
    assert_same_weights(actual / "iter_4.pth", expected / "iter_4.pth", rtol=1e-5, atol=1e-6)
    early, late = weights(actual / "iter_2.pth"), weights(actual / "iter_4.pth")
    fixed = {key for key in late if torch.equal(early[key], late[key])}
    assert fixed == {"decode_head.upscore.weight"}
    moved = (late["backbone.conv1_1.weight"] - early["backbone.conv1_1.weight"]).abs().mean()
    assert moved > 1e-4, "the learning rate is too small to show a difference"


def test_two_processes(configs, single, tmp_path):
    """A loss summed over pixels: averaging the gradients must not halve it."""
    outcomes = train_on_one_node(configs["sum"], tmp_path / "two")
    check_same_training(outcomes, tmp_path / "two", single["sum"])


def test_two_nodes(configs, single, tmp_path):
    """A loss averaged over the labelled pixels, of which the processes have differently many."""
    outcomes = train_on_two_nodes(configs["mean"], tmp_path / "nodes")
    check_same_training(outcomes, tmp_path / "nodes", single["mean"])


def figures(work_dir: Path) -> dict:
    """Of the last validation in the newest log."""
    log = max(work_dir.glob("*/vis_data/scalars.json"))
    *_, last = (record for record in read_json_lines(log) if "mIoU" in record)
    return {key: value for key, value in last.items() if "time" not in key}


@pytest.mark.slow
def test_resumed_in_two_processes(voc, tmp_path):
    """Bit by bit, with dropout, mirroring, workers, and norm layers that see other pictures in each process."""
    settings = {"model.backbone.norm_cfg": dict(type="BN"), "train_cfg.val_interval": 2, "precision": "float32"}
    settings |= {"train_dataloader.num_workers": 1, "optim_wrapper.optimizer.lr": 1e-2}
    config = tiny_config(tmp_path, voc, "fcn32s_vgg16_camvid", **settings)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_on_one_node(config, whole)[0].check()
    cut.mkdir()
    shutil.copy(whole / "iter_2.pth", cut)
    resumed = train_on_one_node(config, cut)[0].check()
    assert "continue from" in resumed.stdout and "An interrupted run" not in resumed.stdout + resumed.stderr
    assert_same_weights(cut / "iter_4.pth", whole / "iter_4.pth")
    early, late = (weights(whole / f"iter_{number}.pth")["backbone.bn5_3.running_mean"] for number in (2, 4))
    assert not torch.equal(early, late)
    assert figures(cut) == figures(whole) and figures(whole)["step"] == 4


def test_dist_test(configs, single, tmp_path):
    config, checkpoint = configs["sum"], single["sum"] / "iter_4.pth"
    alone, two = (
        ("--work-dir", tmp_path / name, "--out", tmp_path / name / "out", "--show-dir", tmp_path / name / "painted")
        for name in ("alone", "two")
    )
    alone = run_tool("test.py", config, checkpoint, *alone, cwd=tmp_path).check()
    command = ("bash", ROOT / "tools/dist_test.sh", config, checkpoint, 2, *two)
    both = run(*command, cwd=tmp_path, PORT=free_port()).check()
    pattern = re.compile(r"aAcc: ([\d.]+)  mIoU: ([\d.]+)  mAcc: ([\d.]+)")
    metrics = pattern.findall(alone.stdout)
    assert len(metrics) == 1 and float(metrics[0][0]) > 0
    assert pattern.findall(both.stdout) == metrics
    for kind in ("out", "painted"):  # each process writes its own
        files = [
            {path.name: path.read_bytes() for path in (tmp_path / name / kind).iterdir()} for name in ("alone", "two")
        ]
        assert files[0] == files[1] and sorted(files[0]) == ["image4.png", "image5.png"]


@pytest.mark.parametrize("number", ["two", "0", "-1", "1.5", ""])
def test_number_of_processes(number, tmp_path):
    for command in (["dist_train.sh", "config.py", number], ["dist_test.sh", "config.py", "checkpoint.pth", number]):
        outcome = run("bash", ROOT / "tools" / command[0], *command[1:], cwd=tmp_path)
        assert outcome.returncode == 2
        assert outcome.stderr == f"error: the number of processes must be a positive integer, got '{number}'\n"
