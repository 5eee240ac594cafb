"""MMSegmentation's own tools/train.py and tools/test.py, as real processes, do with a config what ours do."""

import re
from pathlib import Path

import mmseg
import numpy as np
import pytest
import torch
from PIL import Image
from testing.shapes import narrow_stages
from testing.utils import assert_same_weights, free_port, run, run_tool, tiny_config, weights

from fcn_plugin.datasets.shapes_generator import write_shapes

TOOLBOX = Path(mmseg.__file__).parent / ".mim/tools"
SHORT = (
    "train_cfg.max_iters=4",
    "train_cfg.val_interval=2",
    "default_hooks.checkpoint.interval=1",
    "optim_wrapper.optimizer.lr=0.01",
)
METRICS = re.compile(r"aAcc: ([\d.]+)  mIoU: ([\d.]+)  mAcc: ([\d.]+)")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> Path:
    """The config of FCN-8s on drawn shapes, few and small, at ``data`` beside it."""
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder / "data/shapes", num_train=5, num_val=2, size=(64, 64))
    return narrow_stages(folder)


def options(shapes: Path, *names: str) -> list[str]:
    """Settings that the toolbox's tools take for --data-root."""
    return [f"{name}_dataloader.dataset.data_root={shapes.parent / 'data/shapes'}" for name in names]


@pytest.fixture(scope="module")
def trained(shapes) -> tuple[Path, str]:
    """The work directory of the toolbox's tool, which was not interrupted, and what it printed."""
    work_dir = shapes.parent / "toolbox"
    arguments = ("--work-dir", work_dir, "--cfg-options", *SHORT, *options(shapes, "train", "val"))
    outcome = run_tool(TOOLBOX / "train.py", shapes, *arguments, cwd=shapes.parent).check()
    return work_dir, outcome.stdout


def test_the_same_stages_in_the_same_precision(shapes, trained):
    """--cfg-options act on all of them."""
    work_dir, printed = trained
    ours = shapes.parent / "ours"
    root = shapes.parent / "data/shapes"
    arguments = ("--work-dir", ours, "--data-root", root, "--cfg-options", *SHORT)
    outcome = run_tool("train.py", shapes, *arguments, cwd=shapes.parent).check()
    plan, expected = (
        re.search(r"Plan:\n(?:  \d\. .*\n){3}Precision: .*", text)[0] for text in (printed, outcome.stdout)
    )
    assert plan == expected
    assert re.findall(r"^  \d\. .*", plan, re.M) == [
        "  1. fcn32s_narrow: train 4 iterations",
        "  2. fcn16s_narrow: train 4 iterations from the weights of fcn32s_narrow",
        "  3. fcn8s_narrow: train 4 iterations from the weights of fcn16s_narrow",
    ]
    for folder in ("fcn32s_narrow", "fcn16s_narrow", ""):
        assert_same_weights(work_dir / folder / "iter_4.pth", ours / folder / "iter_4.pth")


def test_resumed(shapes, trained, tmp_path):
    """A kill in the second stage costs nothing, with --resume and without."""
    arguments = (TOOLBOX / "train.py", shapes, "--work-dir", tmp_path, "--resume", "--cfg-options", *SHORT)
    arguments = (*arguments, *options(shapes, "train", "val"))
    killed = run_tool(*arguments, cwd=tmp_path, kill_when=(tmp_path / "fcn16s_narrow/iter_2.pth").exists)
    assert killed.returncode == -9 and not (tmp_path / "iter_1.pth").exists()
    resumed = run_tool(*arguments, cwd=tmp_path).check()
    assert "1. fcn32s_narrow: done" in resumed.stdout and "2. fcn16s_narrow: continue from" in resumed.stdout
    assert_same_weights(tmp_path / "iter_4.pth", trained[0] / "iter_4.pth")


def test_mixed_precision(shapes, tmp_path):
    """--amp, which the toolbox's own wrapper refuses on the CPU."""
    config = shapes.with_name("fcn32s_narrow.py")
    settings = ("precision=float32", *SHORT, *options(shapes, "train", "val"))
    arguments = (config, "--amp", "--work-dir", tmp_path / "amp", "--cfg-options", *settings)
    outcome = run_tool(TOOLBOX / "train.py", *arguments, cwd=tmp_path).check()
    assert "Precision: bfloat16" in outcome.stdout
    ours = (config, "--amp", "--work-dir", tmp_path / "ours", "--cfg-options", *settings)
    run_tool("train.py", *ours, cwd=tmp_path).check()
    assert_same_weights(tmp_path / "amp/iter_4.pth", tmp_path / "ours/iter_4.pth")


def test_a_broken_label_is_refused(shapes, tmp_path):
    data = tmp_path / "data"
    write_shapes(data, num_train=5, num_val=2, size=(64, 64))
    label = data / "SegmentationClass/train_00001.png"
    values = np.array(Image.open(label))
    values[0, :3] = 77
    Image.fromarray(values).save(label)
    roots = [f"{name}_dataloader.dataset.data_root={data}" for name in ("train", "val")]
    arguments = ("--work-dir", tmp_path / "work", "--cfg-options", *SHORT, *roots)
    outcome = run_tool(TOOLBOX / "train.py", shapes, *arguments, cwd=tmp_path)
    assert outcome.returncode == 1
    assert outcome.stderr.splitlines()[-1] == f"  {label}: 77 (pixels: 3)"
    assert not (tmp_path / "work").exists()


def test_two_processes(voc, tmp_path):
    """On CPU processes; the toolbox's own script starts its own tool. What the user says of the wrapper stays."""
    same = {"model.neck.dropout_ratio": 0.0, "precision": "float32", "optim_wrapper.optimizer.lr": 1e-5}
    config = tiny_config(tmp_path, voc, **same)
    command = ("bash", TOOLBOX / "dist_train.sh", config, 2, "--work-dir", tmp_path / "two")
    wrapper = ("--cfg-options", "model_wrapper_cfg.find_unused_parameters=True")
    outcome = run(*command, *wrapper, cwd=tmp_path, PORT=free_port()).check()
    assert outcome.stdout.count("Plan:") == 1
    assert "find_unused_parameters=True was specified in DDP constructor, but did not find any" in outcome.stderr
    two_images = ("--cfg-options", "train_dataloader.batch_size=2")
    run_tool("train.py", config, "--work-dir", tmp_path / "one", *two_images, cwd=tmp_path).check()
    assert_same_weights(tmp_path / "two/iter_4.pth", tmp_path / "one/iter_4.pth", rtol=1e-5, atol=1e-6)
    early, late = weights(tmp_path / "two/iter_2.pth"), weights(tmp_path / "two/iter_4.pth")
    assert not torch.equal(early["backbone.conv1_1.weight"], late["backbone.conv1_1.weight"])


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_the_same_figures(precision, shapes, trained, tmp_path):
    """Of the toolbox's tools/test.py, which starts a plain Runner."""
    checkpoint = trained[0] / "iter_4.pth"
    shared = ("--cfg-options", f"precision={precision}", *options(shapes, "test"))
    theirs = ("--work-dir", tmp_path / "theirs", "--out", tmp_path / "out/theirs", *shared)
    found = run_tool(TOOLBOX / "test.py", shapes, checkpoint, *theirs, cwd=tmp_path).check()
    ours = ("--work-dir", tmp_path / "ours", "--out", tmp_path / "out/ours", *shared)
    expected = run_tool("test.py", shapes, checkpoint, *ours, cwd=tmp_path).check()
    assert METRICS.findall(found.stdout) == METRICS.findall(expected.stdout) != []
    for file in (tmp_path / "out/ours").iterdir():
        assert np.array_equal(Image.open(file), Image.open(tmp_path / "out/theirs" / file.name)), file.name
    assert len(list((tmp_path / "out/ours").iterdir())) == 2
