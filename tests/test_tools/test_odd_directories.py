"""Directories and files with blanks, commas, apostrophes, brackets, per cent signs and umlauts."""

import shutil
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope
from PIL import Image
from testing.shapes import FC7
from testing.utils import POOL5, ROOT, WIDTH, run_tool

from fcn_plugin import config_dir
from fcn_plugin.datasets.shapes_generator import write_shapes
from fcn_plugin.utils.config import read_config
from fcn_plugin_cli import main as cli

NAME = "it's 50% [a, b], (\u00fc) {c} #1 & so on"
DATA, WORK = f"data {NAME}", f"work {NAME}"
COARSE, FINE = f"coarse {NAME}.py", f"fine {NAME}.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A directory with data and the configs of two stages, trained for an iteration each."""
    folder = tmp_path_factory.mktemp("odd") / NAME
    write_shapes(folder / DATA, 6, 2, (64, 64))
    (folder / COARSE).write_text(
        f"_base_ = {str(ROOT / 'configs/fcn32s_vgg16_shapes.py')!r}\n"
        f"model = dict(backbone=dict(width={WIDTH}), neck=dict(in_channels={POOL5}, channels={FC7}))\n"
        "train_cfg = dict(max_iters=1)\ndefault_hooks = dict(logger=dict(interval=1))\n",
        encoding="utf-8",
    )
    (folder / FINE).write_text(
        f'_base_ = "./{COARSE}"\nearlier_stage = "{{{{ fileDirname }}}}/{COARSE}"\n'
        "model = dict(decode_head=dict(type='FCN16sHead'))\n",
        encoding="utf-8",
    )
    roots = [f"{name}_dataloader.dataset.data_root={DATA}" for name in ("train", "val")]
    run_tool("train.py", FINE, "--work-dir", WORK, "--cfg-options", *roots, cwd=folder).check()
    return folder


def test_training(folder):
    """Also a root that is given as a setting is that directory, though it has commas and brackets."""
    assert (folder / WORK / "iter_1.pth").is_file()
    assert (folder / WORK / Path(COARSE).stem / "iter_1.pth").is_file()


@pytest.fixture
def fcn(folder, monkeypatch):
    """Run ``fcn`` in the directory, in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")

    def call(*words):
        with DefaultScope.overwrite_default_scope("mmseg"):
            cli.main(words)

    return call


def test_tools(folder, fcn):
    checkpoint = f"{WORK}/iter_1.pth"
    run_tool("test.py", FINE, checkpoint, "--data-root", DATA, "--out", f"out {NAME}", cwd=folder).check()
    predictions = sorted((folder / f"out {NAME}").iterdir())
    assert [path.name for path in predictions] == ["val_00000.png", "val_00001.png"]
    fcn("predict", f"{DATA}/JPEGImages/val_00001.jpg", FINE, checkpoint, "--out", f"infer {NAME}")
    (label,) = (folder / f"infer {NAME}/labels").iterdir()
    assert Image.open(label).tobytes() == Image.open(predictions[1]).tobytes()
    fcn("compare", FINE, f"one=out {NAME}", "--data-root", DATA, "--out", f"compare {NAME}")
    fcn("browse", FINE, "--data-root", DATA, "--number", "1", "--out", f"browse {NAME}")
    fcn("plot", WORK, "--out", f"curves {NAME}.png")
    fcn("report", WORK, "--out", f"report {NAME}.html")
    for made in (f"compare {NAME}", f"browse {NAME}", f"curves {NAME}.png", f"report {NAME}.html"):
        assert (folder / made).exists()


def test_shipped_configs(tmp_path):
    """A directory with an apostrophe does not break their names of earlier stages."""
    shutil.copytree(config_dir(), tmp_path / "it's")
    cfg = read_config(str(tmp_path / "it's/fcn8s_vgg16_shapes.py"))
    assert cfg.earlier_stage == str(tmp_path / "it's/fcn16s_vgg16_shapes.py")
