"""tools/oracle.py: its table, wrong inputs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from testing.utils import run_tool

from fcn_plugin.paper.oracle import find_labels, oracle_scores


@pytest.fixture(scope="module")
def labels(voc) -> Path:
    return voc / "camvid/SegmentationClass"


def rows_of(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]


def test_table(labels, tmp_path):
    outcome = run_tool("oracle.py", labels, cwd=tmp_path).check()
    scores = oracle_scores(find_labels(labels), [128, 64, 32, 16, 8, 4])
    ours = [f"{100 * score.mean_iu:.1f}" for score in scores.values()]
    assert rows_of(outcome.stdout) == [
        ["factor", "mean IU", "paper"],
        ["128", ours[0], "50.9"],
        ["64", ours[1], "73.3"],
        ["32", ours[2], "86.1"],
        ["16", ours[3], "92.8"],
        ["8", ours[4], "96.4"],
        ["4", ours[5], "98.5"],
    ]
    assert "6 labels of 11 classes" in outcome.stdout
    assert ours[4:] == ["100.0", "100.0"] and float(ours[0]) < float(ours[3]) < 100  # they are squares of 8 pixels


def test_options(labels, voc, tmp_path):
    names = voc / "ImageSets/Segmentation/val.txt"
    options = ("--factors", 3, 32, "--list", names, "--num-classes", 11, "--ignore-index", 255)
    outcome = run_tool("oracle.py", labels, *options, "--upsampling", "bilinear", cwd=tmp_path).check()
    scores = oracle_scores(find_labels(labels, names), [3, 32], upsampling="bilinear")
    values = [f"{100 * scores[factor].mean_iu:.1f}" for factor in (3, 32)]
    assert rows_of(outcome.stdout)[1:] == [["3", values[0], "-"], ["32", values[1], "86.1"]]
    assert "2 labels of " in outcome.stdout and "(bilinear)" in outcome.stdout


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere"], "there is no directory nowhere"),
        (["."], "there are no PNGs in ."),
        (["{labels}", "--list", "list.txt"], "SegmentationClass does not have missing.png of the list list.txt"),
        (["{labels}", "--num-classes", "4"], "in the label, but the data set has 4 classes"),
        (["colours"], "picture.png is a picture of mode RGB, expected class indices"),
        (["{labels}", "--factors", "0"], "each factor of the downsampling must be 1 or more, got [0]"),
    ],
)
def test_wrong_input(arguments, message, labels, tmp_path, refuses):
    (tmp_path / "list.txt").write_text("image0\nmissing\n")
    (tmp_path / "colours").mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "colours/picture.png")
    assert "|" not in refuses(message, "oracle", *(argument.format(labels=labels) for argument in arguments))
