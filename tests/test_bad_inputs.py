"""The table of bad inputs: each gets one line that says what is wrong, before anything is written."""

import shutil
import warnings
from collections import Counter
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import bad_inputs
import pytest
from bad_inputs.case import Bad, Folder, files
from mmengine.registry import DefaultScope
from testing.utils import POOL5, ROOT, WIDTH, run_tool

from fcn_plugin.datasets.shapes_generator import write_shapes
from fcn_plugin_cli import main as cli

KINDS = sorted(module.name for module in iter_modules(bad_inputs.__path__) if module.name != "case")
TABLE = [(kind, row) for kind in KINDS for row in import_module(f"bad_inputs.{kind}").TABLE]
CONFIG = f"""_base_ = {str(ROOT / "configs/fcn32s_vgg16_shapes.py")!r}
model = dict(backbone=dict(width={WIDTH}), neck=dict(in_channels={POOL5}, channels=8))
train_cfg = dict(max_iters=2, val_interval=2)
"""


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """The folder with nothing wrong in it, and a training of two iterations in ``trained``."""
    folder = tmp_path_factory.mktemp("good")
    write_shapes(folder / "data", 8, 3, (80, 64))
    (folder / "config.py").write_text(CONFIG)
    options = "train_cfg.val_interval=100"
    arguments = ("config.py", "--data-root", "data", "--work-dir", "trained", "--cfg-options", options)
    run_tool("train.py", *arguments, cwd=folder).check()
    return folder


def test_number_of_rows():
    names = Counter(f"{kind}-{row.name}" for kind, row in TABLE)
    assert max(names.values()) == 1
    assert len(TABLE) >= 120


@pytest.mark.parametrize(("kind", "row"), TABLE, ids=[f"{kind}-{row.name}" for kind, row in TABLE])
def test_bad_input(kind: str, row: Bad, good, tmp_path, monkeypatch):
    shutil.copytree(good / "data", tmp_path / "data")
    shutil.copy(good / "config.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")  # fcn sets it: for this test alone
    for name, value in row.environment.items():
        monkeypatch.setenv(name, value)
    folder = Folder(tmp_path, good / "trained/iter_2.pth")
    if row.config:
        folder.append(row.config)
    if row.prepare:
        row.prepare(folder)
    before = files(tmp_path)
    with DefaultScope.overwrite_default_scope("mmseg"), warnings.catch_warnings(), pytest.raises(SystemExit) as end:
        cli.main(row.arguments(folder))
    error = end.value.code
    assert isinstance(error, str) and error.startswith("error: "), error  # exit code 1
    for text in row.texts(folder):
        assert text in error
    assert files(tmp_path) == before
