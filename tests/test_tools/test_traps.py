"""A checkpoint with programs in it, wherever the toolbox may look for a config: no tool runs them."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image
from testing.utils import run_tool, tiny_config

from fcn_plugin.apis import init_model
from fcn_plugin.weights.checkpoint import read_checkpoint
from fcn_plugin_cli import main as cli


@pytest.fixture(scope="module")
def trained(voc, tmp_path_factory) -> tuple[Path, Path]:
    """A config of four iterations, and its work directory after two."""
    folder = tmp_path_factory.mktemp("trained")
    config = tiny_config(folder, voc, "fcn32s_vgg16_voc")
    options = ("--cfg-options", "train_cfg.max_iters=2")
    run_tool("train.py", config, "--work-dir", folder / "work", *options, cwd=folder).check()
    return config, folder / "work"


@pytest.fixture
def trapped(trained, tmp_path) -> tuple[Path, Path, Path]:
    """The config, the checkpoint with traps in a work directory, and what they would make."""
    config, work_dir = trained
    trap = tmp_path / "trap"
    program = f"import os\nos.makedirs({str(trap)!r}, exist_ok=True)\nmodel = dict(type='FCNVGG')\ngpu_ids = [0]"
    imports = f"custom_imports = dict(imports=['{trap.name}_module'])"
    (tmp_path / f"{trap.name}_module.py").write_text(program)
    content = copy.deepcopy(read_checkpoint(work_dir / "iter_2.pth"))
    assert "cfg" in content["meta"] and "cfg" in content["message_hub"]["runtime_info"]
    component = dict(type="os.makedirs", name=str(trap), exist_ok=True)
    nested = dict(cfg=program, config=program, custom_imports=imports, model=component)
    content["meta"].update(nested, hook_msgs=dict(last_ckpt=program, best_score=program, **nested))
    content["message_hub"]["runtime_info"].update(nested, last_ckpt=program)
    content |= dict(cfg=program, config=program, hooks=[component], param_scheduler=component)
    checkpoint = tmp_path / "work/iter_2.pth"
    checkpoint.parent.mkdir()
    torch.save(content, checkpoint)
    (checkpoint.parent / "last_checkpoint").write_text(str(checkpoint))
    return config, checkpoint, trap


def test_resumed_training(trapped):
    """It goes on, and hands no program on to its own checkpoints."""
    config, checkpoint, trap = trapped
    run_tool("train.py", config, "--work-dir", checkpoint.parent, cwd=trap.parent).check()
    assert not trap.exists()
    later = read_checkpoint(checkpoint.with_name("iter_4.pth"))
    texts = later["meta"]["cfg"], later["message_hub"]["runtime_info"]["cfg"]
    assert all("makedirs" not in text for text in texts)
    assert "max_iters=4" in texts[0].replace(" ", "")


PLAIN_RUNNER = """
import sys
from mmengine.config import Config
from mmengine.runner import Runner
config, work_dir, checkpoint, hooks = sys.argv[1:]
cfg = Config.fromfile(config)
if hooks == "none":
    cfg.custom_hooks = []
cfg.update(work_dir=work_dir, load_from=checkpoint, resume=True, launcher="none", precision="float32")
Runner.from_cfg(cfg).train()
"""


@pytest.mark.parametrize("hooks", ["ours", "none"])
def test_resumed_by_a_plain_runner(hooks, trapped):
    """Of the toolbox, with the hooks of our configs and without."""
    config, checkpoint, trap = trapped
    work_dir = trap.parent / "plain"
    script = trap.parent / "plain_runner.py"
    script.write_text(PLAIN_RUNNER)
    run_tool(script, config, work_dir, checkpoint, hooks, cwd=trap.parent).check()
    assert (work_dir / "iter_4.pth").is_file() and not trap.exists()


COMMANDS = {
    "start": "train {config} --work-dir {new}/other --cfg-options load_from={checkpoint} train_cfg.max_iters=1",
    "test": "test {config} {checkpoint} --work-dir {new}/work",
    "predict": "predict {new}/picture.png {config} {checkpoint} --out {new}/out",
    "import": "import {checkpoint} {new}/out.pth --for {config}",
    "import as safetensors": "import {checkpoint} {new}/out.safetensors",
    "export": "export {config} {checkpoint} --out {new}/out.pt2 --shape 96 96 --fixed-size --no-check",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_tools(name, trapped, monkeypatch):
    """They work, or say in a line what is wrong."""
    config, checkpoint, trap = trapped
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.chdir(trap.parent)
    Image.new("RGB", (40, 30)).save("picture.png")
    words = [word.format(config=config, checkpoint=checkpoint, new=trap.parent) for word in COMMANDS[name].split()]
    with DefaultScope.overwrite_default_scope("mmseg"):
        cli.main(words)
    assert not trap.exists()
    for file in trap.parent.glob("out.*"):
        assert b"makedirs" not in file.read_bytes()


def test_python_calls(trapped):
    config, checkpoint, trap = trapped
    model = init_model(config, str(checkpoint), "cpu")
    cfg = Config.fromfile(config)
    from mmseg.apis import MMSegInferencer
    from mmseg.apis import init_model as toolbox_init_model

    for other in (
        toolbox_init_model(str(config), str(checkpoint), "cpu"),
        MMSegInferencer(cfg, str(checkpoint), device="cpu").model,
    ):
        name = "decode_head.score_fr.weight"
        assert torch.equal(model.state_dict()[name], other.state_dict()[name])
    with pytest.raises(ValueError, match="give the config as well"):
        MMSegInferencer(None, str(checkpoint), device="cpu")
    assert not trap.exists()
