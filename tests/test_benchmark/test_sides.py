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
from benchmarks.sides import IGNORE_INDEX, OurSide, PeerSide, build_network, optimizer_config

CONFIGS = ROOT / "configs"


@pytest.fixture
def with_peer(options, stub_peer):
    options.peer = "torchfcn"
    return options


def test_same_logits_from_same_weights(with_peer):
    logits, expected = measure.exact_logits(OurSide(with_peer, "fp32")), measure.exact_logits(PeerSide(with_peer))
    assert logits.shape == expected.shape == (2, 21, 20, 31) and expected.std() > 0
    assert abs(logits - expected).max() < 1e-5 * np.ptp(expected)
    with_peer.seed = 1
    assert abs(measure.exact_logits(PeerSide(with_peer)) - expected).max() > 0.1 * np.ptp(expected)


def test_same_training_step(with_peer):
    ours, peer = OurSide(with_peer, "fp32"), PeerSide(with_peer)
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
    assert [(group["lr"], group["weight_decay"]) for group in peer.optimizer.param_groups] == [
        (1e-10, 5e-4),
        (2e-10, 0),
    ]


def test_inputs(options):
    side = OurSide(options, "fp32")
    assert side.images.shape == (2, 3, 20, 31) and (side.images.min(), side.images.max()) == (0, 255)
    assert side.labels.unique().tolist() == [*range(21), IGNORE_INDEX]
    mean = torch.tensor(side.cfg.model.data_preprocessor.mean).view(3, 1, 1)
    assert torch.allclose(side.normalised, side.images.float() - mean, atol=1e-4)
    side.set_inputs(1, (12, 17))
    assert side.forward().shape == (1, 21, 12, 17)


def test_bfloat16(options):
    full, half = OurSide(options, "fp32"), OurSide(options, "bf16")
    dtypes = []
    half.model.backbone.conv3_1.register_forward_hook(lambda module, _, result: dtypes.append(result.dtype))
    logits, expected = measure.exact_logits(half), measure.exact_logits(full)
    half.computation("step")()
    assert dtypes == [torch.bfloat16] * 2 and half.model.training
    assert 1e-4 < abs(logits - expected).max() / abs(expected).max() < 0.1


def test_measurements_of_a_known_network(with_peer):
    peer = PeerSide(with_peer)
    forward, step = (measure.count_flops(peer, name) for name in ("forward", "step"))
    first = 2 * 2 * 3 * 3 * 9 * 218 * 229  # conv1_1 with padding 100, of which the image takes no gradient
    assert forward > first and step == 3 * forward - first
    memory = measure.memory(peer)
    maps = 2 * 4 * 3 * 218 * 229 / 2**20  # MiB of conv1_1 and of conv1_2 each, both kept for the backward pass
    upscore = 4 * 21 * 21 * 64 * 64 / 2**20  # its gradient, which the peer's optimizer leaves to add up
    assert 2 * maps < memory["working MiB"] - upscore < 8 * maps < memory["peak resident MiB"]
    rows = {row["layer"]: row for row in measure.layer_times(peer, 1)}
    assert rows["conv1_1"]["output"] == "2 x 3 x 218 x 229" and rows["conv5_3"]["backward ms"] > 0
    assert rows["relu"]["calls"] == 15 and rows["loss"]["backward ms"] > 0
    assert measure.milliseconds(peer, "forward") > 0 and measure.matrix_product_rate(peer) > 0


@pytest.mark.parametrize("keeps", [False, True])
def test_who_keeps_freed_memory(with_peer, keeps):
    with_peer.peer_keeps_memory = keeps
    assert measure.machine(OurSide(with_peer, "fp32"))["keeps freed memory"] is True
    assert measure.machine(PeerSide(with_peer))["keeps freed memory"] is keeps


@pytest.mark.parametrize("name", ["fcn8s_vgg16_voc", "fcn32s_caffenet_cvpr_sbd", "fcn32s_googlenet_cvpr_sbd"])
def test_width(name):
    cfg = Config.fromfile(CONFIGS / f"{name}.py")
    narrow, full = build_network(cfg, 0.1, "meta"), build_network(cfg, device="meta")
    sizes = [sum(parameter.numel() for parameter in model.parameters()) for model in (narrow, full)]
    assert sizes[0] < 0.11 * sizes[1] and narrow.num_classes == full.num_classes


def test_the_configs_own_optimizer(options):
    cfg = Config.fromfile(options.config)
    cfg.optim_wrapper.accumulative_counts = 20
    found = optimizer_config(cfg, "bf16")
    assert (found.type, found.accumulative_counts, found.optimizer.lr) == ("BF16OptimWrapper", 1, 1e-10)
    cfg.optim_wrapper.type = "AmpOptimWrapper"
    with pytest.raises(ValueError, match="type='AmpOptimWrapper': must be OptimWrapper or BF16OptimWrapper"):
        optimizer_config(cfg, "fp32")


@pytest.mark.skipif(find_spec("torchfcn") is None, reason="torchfcn is not installed")
def test_classes_of_the_real_peer():
    names = {"fcn32s": "FCN32s", "fcn16s": "FCN16s", "fcn8s": "FCN8s", "fcn8s-atonce": "FCN8sAtOnce"}
    for config, name in names.items():
        model = build_network(Config.fromfile(CONFIGS / f"{config}_vgg16_voc.py"), device="meta")
        assert peer_class_of(model) is not None and peer_class_of(model).__name__ == name
    model.decode_head.skip_scales = [1e-3, 1e-2]
    with pytest.raises(ValueError, match=r"torchfcn has FCN32s, .* with skips scaled by \[0.001, 0.01\]: leave out"):
        peer_class_of(model)


def test_other_channels(with_peer):
    path = with_peer.config = str(CONFIGS / "fcn32s_vgg16_voc.py")  # which is wider than this peer
    with pytest.raises(ValueError, match="torchfcn's FCN32s is not the config's: size mismatch for .*: leave out"):
        OurSide(with_peer, "fp32")
    assert peer_class_of(build_network(Config.fromfile(path), device="meta")).__name__ == "FCN32s"


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
