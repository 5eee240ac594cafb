import time

import pytest
import torch
import torch.utils.checkpoint
from torch import nn

from fcn_plugin.benchmark.layer_times import layer_times

CPU = torch.device("cpu")
FORWARD, BACKWARD = 0.02, 0.03


class Sleep(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        time.sleep(FORWARD)
        ctx.save_for_backward(x)
        return x * 1

    @staticmethod
    def backward(ctx, grad):
        _ = ctx.saved_tensors
        time.sleep(BACKWARD)
        return grad * 1


class Slow(nn.Module):
    def forward(self, x):
        return Sleep.apply(x)


class Quiet(nn.Module):
    """Runs an operation that has no backward pass, after which another module's has the same number."""

    def forward(self, x):
        x.detach() + 1
        return x


class Outer(nn.Module):
    """Computes something between its layers, one of which it calls twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.relu = nn.ReLU(inplace=True)
        self.quiet = Quiet()
        self.slow = Slow()
        self.unused = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        x = self.relu(self.conv(x))
        x = self.slow(self.quiet(x))
        x = Sleep.apply(x)
        return self.slow(x[:, :, 1:])


class SlowSGD(torch.optim.SGD):
    def step(self):
        time.sleep(0.01)
        super().step()


@pytest.fixture(scope="module")
def found():
    model = Outer()
    optimizer = SlowSGD(model.parameters(), lr=0.1)
    image = torch.zeros(1, 3, 8, 8)
    loss = nn.MSELoss(reduction="sum")
    modules = dict(model.named_modules(), loss=loss)

    def step():
        loss(model(image), torch.zeros(1, 4, 5, 6)).backward()
        optimizer.step()
        optimizer.zero_grad()
        time.sleep(0.04)

    times = layer_times(modules, step, CPU, repeats=3)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules.values())
    return times


def layers(found):
    return {layer.name: layer for layer in found.layers}


def test_each_layer_has_its_own_time(found):
    slow, network = layers(found)["slow"], layers(found)[""]
    assert slow.calls == 2 and slow.type == "Slow" and slow.shapes == [(1, 4, 6, 6), (1, 4, 5, 6)]
    assert 2e3 * FORWARD <= slow.forward_ms < 3e3 * FORWARD
    assert 2e3 * BACKWARD <= slow.backward_ms < 3e3 * BACKWARD
    # what the container does itself, without its layers
    assert 1e3 * FORWARD <= network.forward_ms < 2e3 * FORWARD
    assert 1e3 * BACKWARD <= network.backward_ms < 2e3 * BACKWARD
    assert layers(found)["conv"].shapes == [(1, 4, 6, 6)]


def test_layers_without_a_backward_pass_get_none_of_the_next(found):
    quiet = layers(found)["quiet"]
    assert quiet.calls == 1 and quiet.forward_ms > 0 == quiet.backward_ms
    for name in ("conv", "relu", "loss"):
        assert layers(found)[name].forward_ms > 0 < layers(found)[name].backward_ms < 1e3 * BACKWARD


def test_layers_come_in_the_order_of_their_calls(found):
    assert list(layers(found)) == ["", "conv", "relu", "quiet", "slow", "loss"]


def test_all_times_sum_up_to_the_step(found):
    total = sum(layer.forward_ms + layer.backward_ms for layer in found.layers)
    assert found.step_ms == pytest.approx(total + found.gradients_ms + found.optimizer_ms + found.rest_ms)
    assert 10 <= found.optimizer_ms < 20 and found.gradients_ms > 0
    assert 40 <= found.rest_ms < 70
    assert found.step_ms >= 1e3 * (3 * FORWARD + 3 * BACKWARD) + 50


def test_recomputed_layers_count_for_themselves():
    model = Outer()
    image = torch.zeros(1, 3, 8, 8, requires_grad=True)

    def step():
        torch.utils.checkpoint.checkpoint(model, image, use_reentrant=False).sum().backward()

    found = layers(layer_times(dict(model.named_modules()), step, CPU, repeats=1))
    assert found["slow"].calls == 4  # forward pass, and once more for the backward pass
    for name, calls in (("slow", 2), ("", 1)):
        assert 2e3 * calls * FORWARD <= found[name].forward_ms < 2e3 * (calls + 0.5) * FORWARD
        assert 1e3 * calls * BACKWARD <= found[name].backward_ms < 1e3 * (calls + 1) * BACKWARD
