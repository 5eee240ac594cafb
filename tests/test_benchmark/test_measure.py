"""Operations, memory and times of small networks that are known."""

import time
from types import SimpleNamespace

import pytest
import torch
import torch.utils.checkpoint
from testing.utils import needs_torch
from torch import nn

from benchmarks.measure import count_flops, layer_times, working_memory


def side(model, step, optimizer=None, **modules):
    """What is measured of a side, for a model."""
    return SimpleNamespace(
        model=model,
        optimizer=optimizer,
        modules=dict(model.named_modules(), **modules),
        device=torch.device("cpu"),
        computation=lambda name: step,
    )


@pytest.mark.parametrize(
    "layer, macs",
    [
        (nn.Conv2d(3, 5, 3, padding=1), 3 * 5 * 9 * 8 * 8),
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), 2 * 6 * 9 * 4 * 4),
        (nn.ConvTranspose2d(3, 5, 4, stride=2), 3 * 5 * 16 * 8 * 8),
    ],
)
def test_convolutions_count_forward_and_backward(layer, macs):
    image = torch.zeros(2, layer.in_channels, 8, 8, requires_grad=True)
    forward = 2 * 2 * macs  # images, and operations of a multiplication with its addition
    assert count_flops(side(layer, lambda: layer(image)), "forward") == forward
    assert count_flops(side(layer, lambda: layer(image).sum().backward()), "step") == 3 * forward
    image.requires_grad_(False)
    assert count_flops(side(layer, lambda: layer(image).sum().backward()), "step") == 2 * forward


SIZE = 1000  # values of the parameter; small values beside it take less than SLACK bytes
BYTES, SLACK = 4 * SIZE, 100


@needs_torch("2.4", "the measure of memory")
@pytest.mark.parametrize(
    "factor, decay, least, most",
    [
        (None, 0, BYTES, 2 * BYTES),  # w * w, then its gradients for both factors, of which one is added to the other
        (torch.full((SIZE,), 2.0), 0, BYTES, BYTES),
        (torch.full((SIZE,), 2.0), 0.1, BYTES, 2 * BYTES),  # the optimizer's scratch memory counts
        (torch.full((SIZE,), 2.0, dtype=torch.bfloat16), 0, BYTES // 2, BYTES),  # a gradient of another format counts
    ],
)
def test_gradients_and_state_are_left_out(factor, decay, least, most):
    model = nn.ParameterDict({"w": torch.ones(SIZE)})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=decay, foreach=False)

    def step():
        optimizer.zero_grad()
        (model.w * model.w if factor is None else model.w.to(factor.dtype) * factor).sum().backward()
        optimizer.step()

    step()
    assert least <= working_memory(side(model, step, optimizer)) < most + SLACK


FORWARD, BACKWARD = 0.05, 0.1  # seconds, much longer than a busy machine makes the other layers wait


class Sleep(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        time.sleep(FORWARD)
        return x * 1

    @staticmethod
    def backward(ctx, grad):
        time.sleep(BACKWARD)
        return grad * 1


class Slow(nn.Module):
    def forward(self, x):
        return Sleep.apply(x)


class Outer(nn.Module):
    """Computes something between its layers, one of which it calls twice."""

    def __init__(self):
        super().__init__()
        self.conv, self.slow, self.unused = nn.Conv2d(3, 4, 3), Slow(), nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.slow(Sleep.apply(self.slow(self.conv(x)))[:, :, 1:])


def test_each_layer_has_its_own_time():
    model, loss = Outer(), nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        loss(model(torch.zeros(1, 3, 8, 8)), torch.zeros(1, 4, 5, 6)).backward()
        optimizer.step()
        optimizer.zero_grad()
        time.sleep(0.04)

    rows = {row["layer"]: row for row in layer_times(side(model, step, optimizer, loss=loss), repeats=1)}
    layers = ["(the network itself)", "conv", "slow", "loss"]  # in the order of their calls
    assert list(rows) == [*layers, "all layers", "gradients", "optimizer", "rest", "step"]
    assert list(rows["conv"]) == ["layer", "type", "output", "calls", "forward ms", "backward ms", "% of step"]
    slow, network = rows["slow"], rows["(the network itself)"]
    assert (slow["type"], slow["calls"], slow["output"]) == ("Slow", 2, "2 shapes")
    assert 2e3 * FORWARD <= slow["forward ms"] and 2e3 * BACKWARD <= slow["backward ms"] < 3e3 * BACKWARD
    # what the container does itself, without its layers
    assert 1e3 * FORWARD <= network["forward ms"] and 1e3 * BACKWARD <= network["backward ms"] < 2e3 * BACKWARD
    assert rows["conv"]["output"] == "1 x 4 x 6 x 6" and 0 < rows["conv"]["backward ms"] < 1e3 * BACKWARD
    names = ["all layers", "gradients", "optimizer", "rest"]
    assert sum(rows[name]["% of step"] for name in names) == pytest.approx(100) == rows["step"]["% of step"]
    assert rows["rest"]["forward ms"] >= 40 and rows["gradients"]["backward ms"] > 0 < rows["optimizer"]["forward ms"]


def test_recomputed_layers_count_for_themselves():
    model, image = Outer(), torch.zeros(1, 3, 8, 8, requires_grad=True)

    def step():
        torch.utils.checkpoint.checkpoint(model, image, use_reentrant=False).sum().backward()

    slow = {row["layer"]: row for row in layer_times(side(model, step), repeats=1)}["slow"]
    assert 2e3 * BACKWARD <= slow["backward ms"] < 3e3 * BACKWARD
