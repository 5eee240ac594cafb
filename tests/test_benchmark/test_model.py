import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from testing.utils import ROOT
from torch import nn

from fcn_plugin.benchmark.model import build_model, build_optimizer, network_config, optim_wrapper_config, randomise
from fcn_plugin.engine.bf16_optim_wrapper import BF16OptimWrapper

CONFIGS = ROOT / "configs"


@pytest.mark.parametrize(
    "name, width, channels",
    [
        ("fcn8s_vgg16_voc", 0.1, [26, 51, 410]),
        ("fcn32s_vgg16_cvpr_sbd", 0.01, [41]),
        ("fcn8s_vgg16_shapes", 0.5, [32, 64, 128]),  # half of the quarter that it has
        ("fcn32s_caffenet_cvpr_sbd", 0.1, [410]),
        ("fcn32s_googlenet_cvpr_sbd", 0.1, None),
    ],
)
def test_width(name, width, channels):
    init_default_scope("mmseg")
    cfg = Config.fromfile(CONFIGS / f"{name}.py")
    before = cfg.model.to_dict()
    found = network_config(cfg.model, width)
    assert cfg.model.to_dict() == before
    assert channels is None or found.decode_head.in_channels == channels
    with torch.device("meta"):
        model, full = MODELS.build(found), MODELS.build(network_config(cfg.model))
    first, last = ([m for m in net.modules() if isinstance(m, nn.Conv2d)] for net in (model, full))
    assert first[0].out_channels == pytest.approx(width * last[0].out_channels, abs=1)
    assert sum(p.numel() for p in model.parameters()) < 1.1 * width * sum(p.numel() for p in full.parameters())


def test_a_width_of_one_leaves_the_network_as_it_is():
    cfg = Config.fromfile(CONFIGS / "fcn8s_vgg16_voc.py")
    found = network_config(cfg.model)
    assert found.backbone.init_cfg is None and found.neck.init_cfg is None
    found.backbone.init_cfg, found.neck.init_cfg = cfg.model.backbone.init_cfg, cfg.model.neck.init_cfg
    assert found.to_dict() == cfg.model.to_dict()
    other = Config.fromfile(CONFIGS / "fcn8s_r50_camvid.py").model
    assert network_config(other).backbone.depth == other.backbone.depth


def test_backbones_of_one_width():
    with pytest.raises(ValueError, match="FCNVGG, CaffeNet and GoogLeNet under a skip head, got ResNet.*--width"):
        network_config(Config.fromfile(CONFIGS / "fcn8s_r50_camvid.py").model, 0.5)


def test_random_weights_keep_the_signal(config):
    cfg = Config.fromfile(config)
    models = [build_model(cfg) for _ in range(3)]
    for model, seed in zip(models, (0, 0, 1)):
        randomise(model, seed)
    first, same, other = (dict(model.named_parameters()) for model in models)
    convs = [name for name in first if name.endswith("weight") and "upscore" not in name]
    assert len(convs) == 16
    for name in convs:
        weight = first[name]
        assert torch.equal(weight, same[name]) and not torch.equal(weight, other[name])
        if weight.numel() > 1000:
            assert float(weight.std()) == pytest.approx((2 / weight[0].numel()) ** 0.5, rel=0.1)
    assert first["decode_head.upscore.weight"].max() == same["decode_head.upscore.weight"].max() < 1


@pytest.mark.parametrize("dtype, kind", [("fp32", "OptimWrapper"), ("bf16", "BF16OptimWrapper")])
@pytest.mark.parametrize("own", [None, "OptimWrapper", "BF16OptimWrapper"])
def test_the_configs_own_optimizer(config, dtype, kind, own):
    cfg = Config.fromfile(config)
    cfg.optim_wrapper.accumulative_counts = 20
    if own is None:
        del cfg.optim_wrapper["type"]
    else:
        cfg.optim_wrapper.type = own
    found = optim_wrapper_config(cfg, dtype)
    assert (found.type, found.accumulative_counts, found.optimizer.lr) == (kind, 1, 1e-10)
    assert cfg.optim_wrapper.get("type") == own and cfg.optim_wrapper.accumulative_counts == 20
    wrapper = build_optimizer(cfg, build_model(cfg), dtype)
    assert isinstance(wrapper, BF16OptimWrapper) == (dtype == "bf16")
    assert wrapper.optimizer.defaults["momentum"] == 0.99


def test_no_optimizer(config):
    cfg = Config.fromfile(config)
    cfg.optim_wrapper.type = "AmpOptimWrapper"
    with pytest.raises(ValueError, match="OptimWrapper or BF16OptimWrapper, got 'AmpOptimWrapper'"):
        optim_wrapper_config(cfg, "fp32")
    with pytest.raises(ValueError, match="fcn_vgg16.py has no optim_wrapper to train with"):
        optim_wrapper_config(Config.fromfile(CONFIGS / "_base_/models/fcn_vgg16.py"), "fp32")
