"""The check of the data in the tools, as real processes: before anything else is done, and --no-check."""

import re
import time
from pathlib import Path

import numpy as np
from PIL import Image
from testing.utils import ROOT, Outcome, free_port, make_voc, run, run_tool, tiny_config

from fcn_plugin.datasets import SeededInfiniteSampler


def break_files(voc: Path, index: int, image: int) -> list[str]:
    """Give a label an index of no class and cut an image off; returns the lines that tell it."""
    label, picture = voc / f"SegmentationClass/image{index}.png", voc / f"JPEGImages/image{image}.jpg"
    values = np.array(Image.open(label))
    values[-1, -2:] = 99
    Image.fromarray(values).save(label)
    picture.write_bytes(picture.read_bytes()[:-99])
    return [
        "error: problems in the data: 2 (--no-check leaves this check out)",
        "images that cannot be read: 1",
        f"  {picture}: truncated, or not a picture",
        "labels with indices that are neither a class nor the ignored index: 1",
        f"  {label}: 99 (pixels: 2)",
    ]


def check_refused(outcome: Outcome, message: list[str]) -> None:
    assert outcome.returncode == 1 and "Iter(" not in outcome.stdout
    assert outcome.stderr[outcome.stderr.index("error: ") :].splitlines() == message


def test_train_and_test(tmp_path):
    """Without the check, an iteration that meets no broken file is trained."""
    voc = make_voc(tmp_path / "voc")
    first = next(iter(SeededInfiniteSampler(range(4), shuffle=True, seed=0)))
    settings = {"train_cfg.max_iters": 1, "default_hooks.checkpoint.interval": 1}
    config = tiny_config(tmp_path / "configs", voc, **settings)
    message = break_files(voc, *[number for number in range(4) if number != first][:2])
    arguments = ("train.py", config, "--work-dir", tmp_path / "work")
    check_refused(run_tool(*arguments, cwd=tmp_path), message)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["configs", "voc"]

    run_tool(*arguments, "--no-check", cwd=tmp_path).check()
    message = break_files(voc, 4, 5)
    arguments = ("test.py", config, tmp_path / "work/iter_1.pth", "--work-dir", tmp_path / "test")
    check_refused(run_tool(*arguments, cwd=tmp_path), message)
    assert not (tmp_path / "test").exists()
    unchecked = run_tool(*arguments, "--no-check", cwd=tmp_path)
    assert "problems in the data" not in unchecked.stderr and (tmp_path / "test").exists()


def test_two_processes(tmp_path):
    """One of them says what is wrong; both end."""
    voc = make_voc(tmp_path / "voc")
    config = tiny_config(tmp_path / "configs", voc)
    message = break_files(voc, 0, 4)
    command = ("bash", ROOT / "tools/dist_train.sh", config, 2, "--work-dir", tmp_path / "work")
    start = time.monotonic()
    outcome = run(*command, cwd=tmp_path, PORT=free_port())
    assert outcome.returncode != 0 and time.monotonic() - start < 90
    (found,) = re.findall(r"^error: .*(?:\n.*){4}", outcome.stderr, re.M)
    assert found.splitlines() == message
    assert not (tmp_path / "work").exists()
