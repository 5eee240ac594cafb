"""What the comparison of tiles prints: exact ones, and sliding windows that are not."""

import argparse

import pytest
import torch
from testing.utils import ROOT

from benchmarks.tiles import Modes, build, measured, picture, size_of

CONFIG = """_base_ = {!r}
model = dict(backbone=dict(width=0.05), neck=dict(in_channels=26, channels=8))
"""


def test_rows(tmp_path):
    (tmp_path / "config.py").write_text(CONFIG.format(str(ROOT / "configs/fcn32s_vgg16_shapes.py")))
    settings = dict(config=str(tmp_path / "config.py"), weights=None, tile=32, batch=1, seed=0, device="cpu")
    modes = Modes(build(argparse.Namespace(**settings)))
    with torch.no_grad():
        rows = {row["mode"]: row for row in measured(modes, picture((430, 40), 0), 1)}
    assert list(rows) == ["whole", "tiles", "slide"] and all(row["picture"] == "40x430" for row in rows.values())
    assert (
        float(rows["tiles"]["largest difference / range"]) < 1e-6 < float(rows["slide"]["largest difference / range"])
    )
    assert float(rows["tiles"]["other labels %"]) == 0 and rows["tiles"]["peak MiB"] > 0


def test_sizes():
    assert size_of("500x375") == (375, 500)
    with pytest.raises(argparse.ArgumentTypeError, match="expected WIDTHxHEIGHT, got 500"):
        size_of("500")
