"""A file of safetensors is taken wherever weights are, and gives what its checkpoint gives."""

import re

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.apis import MMSegInferencer
from PIL import Image
from testing.utils import run_tool, tiny_config

from fcn_plugin.apis import init_model
from fcn_plugin_cli import main as cli


@pytest.fixture(scope="module")
def imported(voc, tmp_path_factory):
    """A config, its checkpoint, and that as safetensors, by `fcn import`."""
    folder = tmp_path_factory.mktemp("safetensors")
    config = tiny_config(folder, voc, "fcn32s_vgg16_voc", **{"train_cfg.max_iters": 1})
    run_tool("train.py", config, "--work-dir", folder / "work", cwd=folder).check()
    checkpoint = folder / "work/iter_1.pth"
    with DefaultScope.overwrite_default_scope("mmseg"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
        cli.main(["import", str(checkpoint), str(folder / "net.safetensors"), "--for", str(config)])
    return config, checkpoint, folder / "net.safetensors"


def test_tested_and_predicted(imported, tmp_path, monkeypatch, capfd):
    config, *weights = map(str, imported)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.chdir(tmp_path)
    Image.radial_gradient("L").convert("RGB").save("picture.png")
    figures, predictions = [], []
    for index, source in enumerate(weights):
        with DefaultScope.overwrite_default_scope("mmseg"):
            cli.main(["test", config, source, "--work-dir", f"test{index}"])
            cli.main(["predict", "picture.png", config, source, "--out", f"out{index}"])
        figures.append(re.findall(r"mIoU: [\d.]+.*fwIoU: [\d.]+", capfd.readouterr().out))
        predictions.append((tmp_path / f"out{index}/labels/picture.png").read_bytes())
    assert figures[0] == figures[1] != [] and predictions[0] == predictions[1]


def test_started_from(imported, tmp_path):
    config, _, source = imported
    options = ("--cfg-options", f"load_from={source}", "optim_wrapper.optimizer.lr=0.0")
    run_tool("train.py", config, "--work-dir", tmp_path, *options, cwd=tmp_path).check()
    name = "decode_head.score_fr.weight"
    before, after = (
        init_model(str(config), str(file), "cpu").state_dict() for file in (source, tmp_path / "iter_1.pth")
    )
    assert torch.equal(before[name], after[name])


def test_in_the_toolbox_s_inferencer(imported):
    config, *weights = imported
    models = [MMSegInferencer(Config.fromfile(config), str(source), device="cpu").model for source in weights]
    states = [model.state_dict() for model in models]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert models[0].dataset_meta["classes"] == tuple(models[1].dataset_meta["classes"])
