"""Our side and the peer's, in this process."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from mmengine.config import Config
from testing.utils import ROOT
from torch import nn

from benchmarks import measure
from benchmarks.main import check
from benchmarks.peer import peer_class_of, peer_classes
from benchmarks.sides import OurSide, PeerSide, build_network

CONFIGS = ROOT / "configs"


def test_same_logits_from_same_weights(options):
    logits, expected = measure.exact_logits(OurSide(options, "fp32")), measure.exact_logits(PeerSide(options))
    assert logits.shape == expected.shape == (2, 21, 20, 31) and expected.std() > 0
    assert abs(logits - expected).max() < 1e-5 * np.ptp(expected)
    options.seed = 1
    assert abs(measure.exact_logits(PeerSide(options)) - expected).max() > 0.1 * np.ptp(expected)


def test_same_training_step(options):
    ours, peer = OurSide(options, "fp32"), PeerSide(options)
    found = []
    for side, name in ((ours, "backbone.conv4_2.weight"), (peer, "conv4_2.weight")):
        for module in side.model.modules():
            if isinstance(module, (nn.Dropout, nn.Dropout2d)):
                module.p = 0.0
        side.computation("step")()
        weight = dict(side.model.named_parameters())[name]
        found.append(side.optimizer.state[weight]["momentum_buffer"])
    # the peer divides the summed loss by the images
    assert found[1].std() > 0 and (found[0] - 2 * found[1]).abs().max() < 1e-3 * found[0].abs().max()
    groups = [(group["lr"], group["weight_decay"]) for group in peer.optimizer.param_groups]
    assert groups == [(1e-10, 5e-4), (2e-10, 0)]


def test_bfloat16(options):
    full, half = OurSide(options, "fp32"), OurSide(options, "bf16")
    dtypes = []
    half.model.backbone.conv3_1.register_forward_hook(lambda module, _, result: dtypes.append(result.dtype))
    logits, expected = measure.exact_logits(half), measure.exact_logits(full)
    half.computation("step")()
    assert dtypes == [torch.bfloat16] * 2 and half.model.training
    assert 1e-4 < abs(logits - expected).max() / abs(expected).max() < 0.1


@pytest.mark.skipif(find_spec("torchfcn") is None, reason="torchfcn is not installed")
def test_classes_of_the_real_peer():
    names = {"fcn32s": "FCN32s", "fcn16s": "FCN16s", "fcn8s": "FCN8s", "fcn8s-atonce": "FCN8sAtOnce"}
    for config, name in names.items():
        model = build_network(Config.fromfile(CONFIGS / f"{config}_vgg16_voc.py"), "meta")
        assert peer_class_of(model) is not None and peer_class_of(model).__name__ == name
    model.decode_head.skip_scales = [1e-3, 1e-2]
    with pytest.raises(ValueError, match=r"no head with skips scaled by \[0.001, 0.01\]: leave out --peer"):
        peer_class_of(model)


def test_a_missing_peer(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="torchfcn is not installed: run `pip install --no-deps torchfcn`"):
        peer_classes()


def test_number_formats(options, monkeypatch):
    monkeypatch.setattr("benchmarks.main.computes_bfloat16", lambda: False)
    with pytest.raises(ValueError, match="this cpu device does not compute in bfloat16: use --dtype fp32"):
        options.dtype = ["bf16"]
        check(options)
    for computes, expected in ((False, ["fp32"]), (True, ["fp32", "bf16"])):
        monkeypatch.setattr("benchmarks.main.computes_bfloat16", lambda computes=computes: computes)
        options.dtype = None
        check(options)
        assert options.dtype == expected
