"""tools/class_heat_map.py in processes of its own."""

import numpy as np
import pytest
import torch
from PIL import Image
from testing.classifiers import sees_blue_and_green
from testing.utils import run_tool


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A classifier that scores blue (class 1) and green (class 2), and an image with a blue square."""
    folder = tmp_path_factory.mktemp("heat_map")
    checkpoint = sees_blue_and_green("caffenet")
    torch.save(checkpoint, folder / "weights.pth")
    del checkpoint["state_dict"]["fc8.weight"]
    torch.save(checkpoint, folder / "segmentor.pth")
    image = np.full((90, 130, 3), 10, np.uint8)
    image[30:70, 40:80, 2] = 250
    Image.fromarray(image).save(folder / "image.png")
    (folder / "names.txt").write_text("nothing\nthe sea\na lawn\nsand\nsnow\n")
    return folder


@pytest.mark.parametrize(
    "options, found",
    [
        ((), ["class 1 the sea: score "]),
        (("--top", 2), ["class 1 the sea: score ", "class 2 a lawn: score "]),
        (("--class", "lawn", 3), ["class 2 a lawn: score ", "class 3 sand: score 0.00"]),
    ],
)
def test_draws_and_says_what_it_found(folder, tmp_path, options, found):
    arguments = (folder / "weights.pth", folder / "image.png", "--out", "map.png", "--names", folder / "names.txt")
    outcome = run_tool("class_heat_map.py", *arguments, *options, cwd=tmp_path).check()
    lines = outcome.stdout.splitlines()
    lines = lines[lines.index("The highest score of each class, and its probability there:") + 1 :]
    assert lines[-1] == "Wrote map.png." and len(lines) == len(found) + 1
    assert all(line.startswith(start) for line, start in zip(lines, found))
    with Image.open(tmp_path / "map.png") as drawn:
        assert drawn.width > 900 and drawn.height > 200 * len(found)


@pytest.mark.parametrize(
    "weights, image, options, message",
    [
        ("segmentor.pth", "image.png", (), "the weights have no fc8.weight"),
        ("weights.pth", "names.txt", (), "names.txt is no image"),
        ("weights.pth", "missing.png", (), "there is no image"),
        ("weights.pth", "missing.png", ("--preprocessing", "cafe"), "got 'cafe', did you mean 'caffe'?"),
        ("weights.pth", "image.png", ("--class", "sea"), "'sea' is not an index"),
    ],
)
def test_wrong_input(folder, refuses, weights, image, options, message):
    refuses(message, "heat-map", folder / weights, folder / image, "--out", "map.png", *options)
