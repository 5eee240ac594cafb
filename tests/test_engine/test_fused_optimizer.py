"""Whether an optimizer works fused follows from PyTorch and the device, and is not stated in configs."""

import pytest
import torch
from mmengine.config import Config
from testing.utils import ROOT

from fcn_plugin.engine import fused_optimizer
from fcn_plugin.engine.fused_optimizer import enable_fused


@pytest.mark.parametrize("has", [True, False])
@pytest.mark.parametrize("schedule", ["pami_100k", "adamw_camvid"])
def test_our_schedules(schedule, has, monkeypatch):
    asked = []
    monkeypatch.setattr(fused_optimizer, "get_device", lambda: "cpu")
    monkeypatch.setattr(fused_optimizer, "has_fused", lambda *args: asked.append(args) or has)
    cfg = Config.fromfile(ROOT / f"configs/_base_/schedules/{schedule}.py")
    before = cfg.to_dict()
    enable_fused(cfg)
    assert asked == [(getattr(torch.optim, cfg.optim_wrapper.optimizer.type), "cpu")]
    expected = dict(before["optim_wrapper"]["optimizer"], **(dict(fused=True) if has else {}))
    assert cfg.optim_wrapper.optimizer == expected


class OwnSGD(torch.optim.SGD):
    """Another one."""


@pytest.mark.parametrize(
    "optimizer",
    [dict(type="SGD", fused=False), dict(type="SGD", foreach=True), dict(type=OwnSGD), dict(type="RMSprop"), None],
)
def test_left_alone(optimizer, monkeypatch):
    monkeypatch.setattr(fused_optimizer, "has_fused", lambda *_: True)
    cfg = Config(dict(optim_wrapper=dict(optimizer=optimizer)))
    enable_fused(cfg)
    assert cfg.optim_wrapper.optimizer == optimizer
    enable_fused(Config({}))
