"""Our side and the peer's, in this process."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fcn_plugin.benchmark import our_side, peer_side, side
from fcn_plugin.benchmark.inputs import IGNORE_INDEX, random_batch
from fcn_plugin.benchmark.our_side import OurSide
from fcn_plugin.benchmark.peer_side import PeerSide
from fcn_plugin.benchmark.setting import Setting, has_bf16
from fcn_plugin.benchmark.working_memory import step_memory
from fcn_plugin.engine.bf16_optim_wrapper import BF16OptimWrapper

needs_bf16 = pytest.mark.skipif(not has_bf16("cpu"), reason="this CPU has no bfloat16")


@pytest.fixture
def kept(monkeypatch):
    """The sides that let the process keep freed memory, in place of doing it."""
    found = []
    for module in (our_side, peer_side):
        monkeypatch.setattr(module, "keep_freed_memory", lambda name=module.__name__: not found.append(name))
    return found


@pytest.fixture
def setting(config, kept):
    return Setting(config, shape=(20, 31), batch=2)


@pytest.fixture
def with_peer(setting, stub_peer):
    return replace(setting, peer="torchfcn")


def test_inputs():
    batch = random_batch(2, (30, 40), num_classes=5, seed=1)
    assert batch.images.dtype == torch.uint8 and batch.images.shape == (2, 3, 30, 40)
    assert batch.images.min() == 0 and batch.images.max() == 255
    assert batch.labels.shape == (2, 30, 40) and batch.labels.unique().tolist() == [0, 1, 2, 3, 4, IGNORE_INDEX]
    assert 0.03 < (batch.labels == IGNORE_INDEX).float().mean() < 0.07
    same, other = random_batch(2, (30, 40), 5, 1), random_batch(2, (30, 40), 5, 2)
    assert torch.equal(same.images, batch.images) and torch.equal(same.labels, batch.labels)
    assert not torch.equal(other.images, batch.images)
    data = batch.data
    assert torch.equal(torch.stack([sample.gt_sem_seg.data[0] for sample in data["data_samples"]]), batch.labels)


def test_images_are_normalised(setting):
    ours = OurSide(setting)
    images = random_batch(2, (20, 31), 21, 0).images.float()
    mean = torch.tensor(ours.cfg.model.data_preprocessor.mean).view(3, 1, 1)
    assert torch.allclose(ours.image, images - mean, atol=1e-4)


def test_same_logits_from_same_weights(with_peer):
    ours, peer = OurSide(with_peer), PeerSide(with_peer)
    logits, expected = ours.exact_logits(), peer.exact_logits()
    assert logits.shape == expected.shape == (2, 21, 20, 31) and expected.std() > 0
    assert abs(logits - expected).max() < 1e-5 * (expected.max() - expected.min())
    other = PeerSide(replace(with_peer, seed=1)).exact_logits()
    assert abs(other - expected).max() > 0.1 * (expected.max() - expected.min())


def test_same_training_step(with_peer):
    sides = OurSide(with_peer), PeerSide(with_peer)
    weights, momenta = [], []
    for one in sides:
        for module in one.model.modules():
            if isinstance(module, (nn.Dropout, nn.Dropout2d)):
                module.p = 0.0
        one.computation("step")()
        named = dict(one.model.named_parameters())
        prefix = "backbone." if one is sides[0] else ""
        momenta.append(one.optimizer.state[named[f"{prefix}conv4_2.weight"]]["momentum_buffer"])
        weights.append(named[f"{prefix}conv4_2.weight"])
    # the peer divides the summed loss by the images
    assert momenta[1].std() > 0
    assert (momenta[0] - 2 * momenta[1]).abs().max() < 1e-3 * momenta[0].abs().max()
    assert torch.allclose(*weights, atol=1e-3)


def test_modes(setting):
    ours = OurSide(setting)
    modes = []
    ours.model.backbone.register_forward_hook(
        lambda module, *_: modes.append((module.training, torch.is_grad_enabled()))
    )
    ours.seconds("forward", 2)
    ours.seconds("step", 1)
    ours.seconds("forward", 1)
    assert modes == [(False, False)] * 2 + [(True, True)] + [(False, False)]


def test_a_step_trains(setting):
    ours = OurSide(setting)
    weight = ours.model.neck.fc6.weight
    before = weight.detach().clone()
    assert not ours.optimizer.state
    ours.computation("step")()
    assert ours.optimizer.state and not torch.equal(weight, before)


@needs_bf16
def test_bfloat16(setting):
    full, half = OurSide(setting), OurSide(setting, "bf16")
    assert isinstance(half.optim_wrapper, BF16OptimWrapper) and not isinstance(full.optim_wrapper, BF16OptimWrapper)
    dtypes = []
    half.model.backbone.conv3_1.register_forward_hook(lambda module, _, result: dtypes.append(result.dtype))
    logits, expected = half.exact_logits(), full.exact_logits()
    half.step()
    assert dtypes == [torch.bfloat16] * 2
    assert 1e-4 < abs(logits - expected).max() / abs(expected).max() < 0.1
    assert all(parameter.dtype == torch.float32 for parameter in half.model.parameters())


def test_measurements(setting):
    ours = OurSide(setting)
    assert ours.warm_up("forward") >= 1 and ours.seconds("forward") > 0
    flops, memory = ours.flops(), ours.memory()
    assert 2 * flops["forward"] < flops["step"] < 3 * flops["forward"]
    assert memory["allocated"] is None and memory["resident"] > memory["working"]
    assert memory["working"] == step_memory(ours.step, ours.model, ours.optimizer) > 0
    layers = {layer.name: layer for layer in ours.layers(1).layers}
    assert layers["backbone.conv1_1"].type == "Conv2d" and layers["backbone.conv1_1"].backward_ms > 0
    assert layers["decode_head.loss_decode"].type == "PixelCrossEntropyLoss"


def test_measurements_of_a_known_network(with_peer):
    peer = PeerSide(with_peer)
    flops, memory = peer.flops(), peer.memory()
    first = 2 * 2 * 3 * 3 * 9 * 218 * 229  # conv1_1 with padding 100, of which the image takes no gradient
    assert flops["forward"] > first and flops["step"] == 3 * flops["forward"] - first
    maps = 2 * 4 * 3 * 218 * 229  # bytes of the results of conv1_1 and of conv1_2, both kept for the backward pass
    upscore = 4 * 21 * 21 * 64 * 64  # its gradient, which the peer's optimizer leaves to add up: a new one each step
    # beside the two kept maps, gradients of maps, and the smaller maps of the stages behind
    assert 2 * maps < memory["working"] - upscore < 8 * maps
    layers = {layer.name: layer for layer in peer.layers(1).layers}
    assert layers["conv1_1"].shapes == [(2, 3, 218, 229)] and layers["conv5_3"].backward_ms > 0
    assert layers["relu"].calls == 15 and layers["loss"].forward_ms > 0 < layers["loss"].backward_ms


def test_other_inputs(setting):
    ours = OurSide(setting)
    ours.set_inputs(1, (12, 17))
    assert ours.exact_logits().shape == (1, 21, 12, 17)
    ours.step()


@pytest.mark.parametrize("keeps", [False, True])
def test_who_keeps_freed_memory(with_peer, kept, keeps):
    ours = OurSide(with_peer)
    assert kept == ["fcn_plugin.benchmark.our_side"] and ours.machine()["keeps_freed_memory"] is True
    kept.clear()
    peer = PeerSide(replace(with_peer, peer_keeps_memory=keeps))
    assert len(kept) == keeps and peer.machine()["keeps_freed_memory"] is keeps


def test_threads(setting, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    OurSide(setting)
    OurSide(replace(setting, threads=3))
    assert asked == [3]


def test_long_computations_are_called_once(setting, monkeypatch):
    ours = OurSide(setting)
    for seconds, calls in (([0.5, 0.01], 20), ([0.5, 0.3], 1), ([2.0], 1)):
        times = iter(seconds)
        monkeypatch.setattr(side, "measure_time", lambda run, device, times=times: next(times))
        assert ours.warm_up("forward") == calls
        assert not list(times)


def test_logits_are_compared_without_tf32(setting):
    ours = OurSide(setting)
    seen = []
    ours.logits = lambda: (
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)) or torch.zeros(1)
    )
    ours.exact_logits()
    ours.forward()
    assert seen == [(False, False), (True, True)]
