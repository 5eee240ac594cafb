"""tools/demo.py from the drawing of the data to the pictures, with a training too short to learn."""

import importlib.util
import sys
from functools import partial

import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image
from testing.utils import ROOT


@pytest.fixture
def demo(monkeypatch):
    """The tool as a module, with few and small images and two iterations a stage."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / "tools/demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "write_shapes", partial(module.write_shapes, num_train=4, num_val=3, size=(64, 64)))
    plan = module.plan

    def short_plan(args):
        stages = plan(args)
        for stage in stages:
            stage.cfg.merge_from_dict({"train_cfg.max_iters": 2, "model.backbone.width": 0.05})
            stage.cfg.merge_from_dict({"model.neck.in_channels": 26, "model.neck.channels": 8})
            stage.cfg.model.decode_head.in_channels = [13, 26, 8][-len(stage.cfg.model.decode_head.in_channels) :]
        return stages

    monkeypatch.setattr(module, "plan", short_plan)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")  # the tool sets it: for this test alone
    yield module
    module.HOOKS.module_dict.pop("ProgressHook")
    MMLogger._instance_dict.clear()  # they write to where the tool sent them


def test_demo(demo, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["demo.py", "--out", str(tmp_path / "out"), "--images", "2", "--no-amp"])
    monkeypatch.setattr(demo, "TERMINAL", sys.stdout)
    with pytest.raises(SystemExit, match=r"error: expected mIoU to rise .* 75 % or more"):
        demo.main()
    printed = capsys.readouterr().out
    assert "| IoU in %   | FCN-32s | FCN-16s | FCN-8s |" in printed and "3 held-out images" in printed
    names = ["val_00000", "val_00001", "val_00002"]
    for model in ("FCN-32s", "FCN-16s", "FCN-8s"):
        files = sorted((tmp_path / "out/predictions" / model).iterdir())
        assert [file.stem for file in files] == names
        assert all(np.array(Image.open(file)).shape == (64, 64) for file in files)
    assert sorted(file.name for file in (tmp_path / "out/pictures").iterdir()) == ["val_00000.png", "val_00001.png"]

    with pytest.raises(SystemExit):
        demo.main()
    again = capsys.readouterr().out
    assert "there already" in again and again.count("done: ") == 3
    assert (
        again[again.index("3 held-out") : again.index("In ")]
        == printed[printed.index("3 held-out") : printed.index("In ")]
    )
