import importlib.util
import sys

import pytest
import torch
from mmengine.config import Config
from testing.utils import ROOT
from torch import nn

from fcn_plugin.benchmark.peer import (
    build_peer,
    check_same_network,
    peer_class_of,
    peer_classes,
    peer_optimizer,
    weights_of,
)

CONFIGS = ROOT / "configs"
VARIANTS = {"fcn32s": "FCN32s", "fcn16s": "FCN16s", "fcn8s": "FCN8s", "fcn8s-atonce": "FCN8sAtOnce"}


def imported():
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] in ("torchfcn", "fcn")}


def test_classes_come_without_the_package(stub_peer, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcn", object())  # of another package
    before = imported()
    classes = peer_classes()
    assert list(classes) == list(VARIANTS.values()) == [found.__name__ for found in classes.values()]
    assert sys.modules.keys() >= {"fcn"} and imported() == before
    with pytest.raises(ImportError, match="needs pytz"):
        importlib.import_module("torchfcn")


def test_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="torchfcn is not installed: run `pip install --no-deps torchfcn`"):
        peer_classes()


@pytest.mark.parametrize("name, variant", VARIANTS.items())
@pytest.mark.parametrize("data", ["voc", "sbd"])
def test_variants(real_peer, name, variant, data):
    cfg = Config.fromfile(CONFIGS / f"{name}_vgg16_{data}.py")
    peer_class = peer_class_of(cfg)
    assert peer_class.__name__ == variant
    check_same_network(cfg, peer_class)


@pytest.mark.parametrize(
    "name, message",
    [
        ("fcn8s-pad1_vgg16_camvid", "FCN8s has maps at .*, the config at .*: leave out --peer"),
        ("fcn8s_r50_camvid", "FCN8s is on VGG16, the config on ResNetV1c: leave out --peer"),
        ("fcn32s_caffenet_cvpr_sbd", "FCN32s is on VGG16, the config on CaffeNet: leave out --peer"),
        ("fcn8s_vgg16-bn_camvid", r"FCN8s is not the config's network: backbone.bn1_1.bias is missing there, \(64,\)"),
    ],
)
def test_other_networks(real_peer, name, message):
    cfg = Config.fromfile(CONFIGS / f"{name}.py")
    cfg.model.backbone.init_cfg = None
    with pytest.raises(ValueError, match=message):
        check_same_network(cfg, peer_class_of(cfg))


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(skip_scales=[1e-3, 1e-2]), r"torchfcn has FCN32s.*, but none that scales its skips by \[0.001, 0.01\]"),
        (dict(border="replicate"), r"FCN8s has maps .*\(border='replicate'\): leave out --peer"),
        (dict(type="DepthwiseSeparableASPPHead"), None),
    ],
)
def test_other_heads(real_peer, change, message):
    cfg = Config.fromfile(CONFIGS / "fcn8s_vgg16_voc.py")
    if message is None:
        cfg.model.decode_head = dict(
            type="FCNHead", in_channels=4096, channels=8, num_convs=1, num_classes=21, in_index=2
        )
        message = "torchfcn has FCN32s, .*, but no FCNHead: leave out --peer"
    else:
        cfg.model.decode_head.update(change)
    with pytest.raises(ValueError, match=message):
        check_same_network(cfg, peer_class_of(cfg))


def test_other_channels(stub_peer, config):
    cfg = Config.fromfile(config)
    check_same_network(cfg, peer_class_of(cfg))
    cfg.model.neck.channels = 16
    cfg.model.decode_head.in_channels = [16]
    with pytest.raises(ValueError, match=r"decode_head.score_fr.weight is \(21, 32, 1, 1\) there, \(21, 16, 1, 1\)"):
        check_same_network(cfg, peer_class_of(cfg))


def test_weights(stub_peer):
    models = [build_peer(peer_classes()["FCN32s"], 5, seed) for seed in (0, 0, 1)]
    first, same, other = (weights_of(model) for model in models)
    assert first.keys() >= {"backbone.conv1_1.weight", "neck.fc6.weight", "decode_head.score_fr.bias"}
    for name, weight in first.items():
        assert torch.equal(weight, same[name]) and torch.equal(weight, other[name]) == ("upscore" in name)
        assert weight.std() > 0


def test_optimizer(stub_peer):
    model = build_peer(peer_classes()["FCN32s"], 5, 0)
    weights, biases = peer_optimizer(model).param_groups
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert len(weights["params"]) == len(biases["params"]) == len(convolutions) == 16
    assert all(one is module.weight for one, module in zip(weights["params"], convolutions))
    assert all(one is module.bias for one, module in zip(biases["params"], convolutions))
    assert (weights["lr"], weights["momentum"], weights["weight_decay"]) == (1e-10, 0.99, 5e-4)
    assert (biases["lr"], biases["momentum"], biases["weight_decay"]) == (2e-10, 0.99, 0)
