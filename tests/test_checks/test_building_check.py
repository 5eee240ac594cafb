"""What a runner will build is tried beforehand, without a trace."""

import logging
import os

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import HOOKS
from mmengine.visualization import Visualizer
from mmseg.visualization import SegLocalVisualizer
from testing.utils import ROOT

from fcn_plugin.checks import building
from fcn_plugin.checks.building import check_components
from fcn_plugin.checks.report import Report
from fcn_plugin.checks.weights import model_to_check

SHIPPED = sorted(path.name for path in (ROOT / "configs").glob("fcn*.py"))


def errors(cfg: Config, split: str = "train", model=None) -> list[str]:
    report = Report()
    check_components(cfg, model, split, report)
    return list(report.errors)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_configs(name):
    cfg = Config.fromfile(ROOT / "configs" / name)
    assert errors(cfg) == errors(cfg, "val") == errors(cfg, "test") == []


@pytest.mark.parametrize("name", ["fcn8s_vgg16_voc.py", "fcn32s_vgg16_shapes.py", "fcn8s_r50_camvid.py"])
def test_their_optimizers(name):
    """On models without values, also the fused ones."""
    cfg = Config.fromfile(ROOT / "configs" / name)
    assert errors(cfg, model=model_to_check(cfg)) == []
    cfg.optim_wrapper.optimizer.lr = -1
    cfg.param_scheduler = [dict(type="PolyLR", eta=1)]
    assert len(errors(cfg, model=model_to_check(cfg))) == 1


def test_it_leaves_no_trace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromfile(ROOT / "configs/fcn32s_vgg16_shapes.py")
    cfg.val_evaluator.output_dir = "predictions"
    before = cfg.to_dict(), dict(os.environ), MMLogger.get_current_instance().level
    instances = {kind: list(kind._instance_dict) for kind in (Visualizer, SegLocalVisualizer)}
    assert errors(cfg, model=model_to_check(cfg)) == []
    assert (cfg.to_dict(), dict(os.environ), MMLogger.get_current_instance().level) == before
    assert instances == {kind: list(kind._instance_dict) for kind in (Visualizer, SegLocalVisualizer)}
    assert not list(tmp_path.iterdir())


def test_keys_that_nothing_reads(monkeypatch):
    said = []
    monkeypatch.setattr(building, "print_log", lambda text, level, **_: said.append((text, level)))
    cfg = Config.fromfile(ROOT / "configs/fcn32s_vgg16_shapes.py")
    cfg.merge_from_dict(dict(train_cgf=dict(max_iters=3), data_root="x", models=3, param_schedulers=[]))
    assert errors(cfg) == []
    name = "fcn32s_vgg16_shapes.py"
    assert said == [
        (f"nothing reads train_cgf of {name}, did you mean 'train_cfg'?", logging.WARNING),
        (f"nothing reads param_schedulers of {name}, did you mean 'param_scheduler'?", logging.WARNING),
    ]


def test_components_of_the_user():
    """Given as classes or objects, or by settings of another kind, they are not judged by names."""

    class OwnHook(HOOKS.get("EMAHook")):
        def __init__(self, **anything):
            super().__init__()

    cfg = Config.fromfile(ROOT / "configs/fcn32s_vgg16_shapes.py")
    cfg.custom_hooks = [dict(type=OwnHook, x=3, priority=49), OwnHook()]
    cfg.val_evaluator = [cfg.val_evaluator, dict(type="IoUMetric")]
    assert errors(cfg) == []
    cfg.val_evaluator = dict(metrics=[dict(type="IoUMetrik")])
    assert errors(cfg) == [
        "val_evaluator.type: there is no 'IoUMetrik' among the toolbox's metrics, did you mean 'IoUMetric'?"
    ]


@pytest.mark.parametrize("split", ["train", "val"])
def test_what_belongs_together(split):
    cfg = Config.fromfile(ROOT / "configs/fcn32s_vgg16_shapes.py")
    for name in ("val_dataloader", "val_cfg", "val_evaluator"):
        cfg[name] = None
    expected = (
        "fcn32s_vgg16_shapes.py has no val_dataloader and no val_cfg and no val_evaluator, which a validation needs"
    )
    assert errors(cfg, split) == ([] if split == "train" else [expected])
