"""The scripts that draw the pictures of the README and of the docs."""

import runpy
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from PIL import Image
from testing.utils import ROOT, tiny_config


@pytest.fixture
def draw(monkeypatch):
    """Call the main function of a script with arguments."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")

    def draw(script, *arguments):
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        runpy.run_path(str(ROOT / f"docs/pictures/{script}.py"), run_name="__main__")

    return draw


def test_strip(draw, tmp_path, voc, capsys):
    config = tiny_config(tmp_path, voc)
    init_default_scope("mmseg")
    model = MODELS.build(Config.fromfile(config).model)
    torch.nn.init.constant_(model.decode_head.score_fr.bias, 0)
    for name, index in {"cat": 8, "dog": 12}.items():
        model.decode_head.score_fr.bias.data[:] = torch.nn.functional.one_hot(torch.tensor(index), 21)
        torch.save(dict(state_dict=model.state_dict(), meta=dict(iter=7)), tmp_path / f"{name}.pth")
    networks = [f"{name}={config}:{tmp_path / name}.pth" for name in ("cat", "dog")]
    photograph = voc / "JPEGImages/image0.jpg"
    draw("strip", photograph, tmp_path / "strip.png", *networks)
    assert capsys.readouterr().out.splitlines()[-3:-1] == [
        f"{name}: fcn32s.py, 7 iterations" for name in ("cat", "dog")
    ]
    picture = np.asarray(Image.open(tmp_path / "strip.png").convert("RGB")).astype(int)
    # the photograph as it is, then in the dark red of cats and in the violet of dogs
    means = [picture[60:200, start : start + 300].mean(axis=(0, 1)) for start in (80, 520, 960)]
    assert means[1][0] > means[0][0] + 20 > means[1][1] and min(means[2][0], means[2][2]) > means[2][1] + 20


def test_wrong_arguments_of_strip(draw, tmp_path, voc):
    with pytest.raises(SystemExit, match="error: expected NAME=CONFIG:CHECKPOINT, got 'fcn.py'"):
        draw("strip", voc / "JPEGImages/image0.jpg", tmp_path / "strip.jpg", "fcn.py")
    assert not (tmp_path / "strip.jpg").exists()


def test_network_is_the_picture_of_the_docs(draw, tmp_path):
    draw("network", ROOT / "configs/fcn8s_vgg16_voc.py", tmp_path / "fcn8s.svg")
    lines = [file.read_text().count("<text") for file in (tmp_path / "fcn8s.svg", ROOT / "docs/images/fcn8s.svg")]
    assert lines[0] == lines[1] > 20
    with pytest.raises(SystemExit, match="error: a picture must end in"):
        draw("network", ROOT / "configs/fcn8s_vgg16_voc.py", tmp_path / "fcn8s.doc")
