"""tools/benchmark_patches.py."""

import json

import pytest
import torch
from testing.utils import ROOT, run_tool

CONFIG = ROOT / "configs/_base_/models/fcn_vgg16.py"


def test_numbers(tmp_path):
    file = tmp_path / "numbers.json"
    arguments = ("--width", 0.01, "--sizes", 404, 437, "--repeats", 1, "--device", "cpu", "--json", file)
    outcome = run_tool("benchmark_patches.py", CONFIG, *arguments, cwd=tmp_path).check()
    content = json.loads(file.read_text())
    assert (content["patch"], content["stride"], content["width"], content["device"]) == (404, 32, 0.01, "cpu")
    assert [(one["image_size"], one["patches"]) for one in content["results"]] == [(404, 1), (437, 4)]
    for one in content["results"]:
        assert one["patch_seconds"] > 0 < one["image_seconds"] and one["largest_difference"] < 1e-4
    small, large = content["results"]
    assert large["patch_bytes"] > 3.9 * small["patch_bytes"] and large["image_bytes"] < 1.3 * small["image_bytes"]
    header, _, *lines = [line for line in outcome.stdout.splitlines() if line[:3] != "Cou"]
    assert header == "patches of 404 pixels, 32 apart, 16 in a batch, on cpu"
    assert [line.split()[:2] for line in lines] == [["404", "1"], ["437", "4"]]
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.json"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--sizes", 500, 300], "a patch of 404 x 404 pixels, the receptive field, does not fit "),
        (["--sizes", 500, "--stride", 0], "the distance of patches must be 1 pixel or more, got 0"),
        (["--json", "none/numbers.json"], "there is no directory none to write numbers.json to"),
        (["--repeats", 0], "--repeats and --batch-size must be 1 or more"),
        (["--device", "warp"], "warp"),
        pytest.param(
            ["--device", "cuda"],
            "CUDA",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_wrong_input(refuses, arguments, message):
    assert "patches of" not in refuses(message, "patches", CONFIG, "--width", 0.01, *arguments)


def test_missing_config(refuses):
    refuses("there is no config none.py", "patches", "none.py")
