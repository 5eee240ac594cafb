"""fcn demo from the drawing of the data to the pictures, with a training too short to learn."""

from functools import partial

import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image
from testing.shapes import narrow_stages
from yapf.yapflib import yapf_api

from fcn_plugin.apis import demo as module
from fcn_plugin_cli import main as cli


@pytest.fixture
def demo(monkeypatch, tmp_path):
    """The command, with few and small images and narrow networks, two iterations a stage."""
    monkeypatch.setattr(module, "write_shapes", partial(module.write_shapes, num_train=5, num_val=3, size=(64, 64)))
    monkeypatch.setattr(module, "CONFIG", narrow_stages(tmp_path / "configs", "train_cfg = dict(max_iters=2)\n"))
    # mmengine formats each config for seconds
    monkeypatch.setattr(yapf_api, "FormatCode", lambda code, **_: (code, False))
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")  # the tool sets it: for this test alone
    yield lambda *words: cli.main(["demo", *words])
    module.HOOKS.module_dict.pop("ProgressHook")
    MMLogger._instance_dict.clear()  # they write to where the tool sent them


def test_demo(demo, tmp_path, capsys):
    arguments = "--out", str(tmp_path / "out"), "--images", "2", "--no-amp"
    with pytest.raises(SystemExit, match=r"error: expected mIoU to rise .* 75 % or more"):
        demo(*arguments)
    printed, progress = capsys.readouterr()
    assert progress.count("     2/2  loss ") == 3 and "fcn8s" in progress
    assert "| IoU in %   | FCN-32s | FCN-16s | FCN-8s |" in printed and "3 held-out images" in printed
    names = ["val_00000", "val_00001", "val_00002"]
    for model in ("FCN-32s", "FCN-16s", "FCN-8s"):
        files = sorted((tmp_path / "out/predictions" / model).iterdir())
        assert [file.stem for file in files] == names
        assert all(np.array(Image.open(file)).shape == (64, 64) for file in files)
    assert sorted(file.name for file in (tmp_path / "out/pictures").iterdir()) == ["val_00000.png", "val_00001.png"]

    with pytest.raises(SystemExit):
        demo(*arguments)
    again = capsys.readouterr().out
    assert "there already" in again and again.count("done: ") == 3
    assert (
        again[again.index("3 held-out") : again.index("In ")]
        == printed[printed.index("3 held-out") : printed.index("In ")]
    )
