"""Operations, memory and times of small networks that are known."""

import time
from types import SimpleNamespace

import pytest
import torch
import torch.utils.checkpoint
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


class OneParameter(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(SIZE))


def memory_of(function, zero_first=False, **settings):
    model = OneParameter()
    optimizer = torch.optim.SGD(model.parameters(), **{"lr": 0.1, "momentum": 0.9, "foreach": False, **settings})

    def step():
        if zero_first:
            optimizer.zero_grad()
        function(model.weight).sum().backward()
        optimizer.step()
        if not zero_first:
            optimizer.zero_grad()

    step()
    found = working_memory(side(model, step, optimizer))
    assert not optimizer._optimizer_step_pre_hooks
    return found


@pytest.mark.parametrize("zero_first", [False, True])
def test_gradients_and_state_are_left_out(zero_first):
    # the product, then its gradients for both factors, of which one is added to the other
    assert BYTES <= memory_of(lambda w: w * w, zero_first) < 2 * BYTES + SLACK
    factor = torch.full((SIZE,), 2.0)
    assert BYTES <= memory_of(lambda w: w * factor, zero_first) < BYTES + SLACK


def test_a_gradient_of_another_format_counts():
    factor = torch.full((SIZE,), 2.0, dtype=torch.bfloat16)
    # the copy and the product in bfloat16, or the copy's gradient; not the float32 gradient that is made from it
    assert BYTES // 2 <= memory_of(lambda w: w.to(torch.bfloat16) * factor) < BYTES + SLACK


FORWARD, BACKWARD = 0.05, 0.1  # seconds, much longer than a busy machine makes the other layers wait


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
def rows():
    model, loss = Outer(), nn.MSELoss(reduction="sum")
    optimizer = SlowSGD(model.parameters(), lr=0.1)

    def step():
        loss(model(torch.zeros(1, 3, 8, 8)), torch.zeros(1, 4, 5, 6)).backward()
        optimizer.step()
        optimizer.zero_grad()
        time.sleep(0.04)

    found = layer_times(side(model, step, optimizer, loss=loss), repeats=3)
    assert "forward" not in vars(model) and "forward" not in vars(model.conv)
    return {row["layer"]: row for row in found}


def test_each_layer_has_its_own_time(rows):
    layers = ["(the network itself)", "conv", "relu", "quiet", "slow", "loss"]  # in the order of their calls
    assert list(rows) == [*layers, "all layers", "gradients", "optimizer", "rest", "step"]
    slow, network = rows["slow"], rows["(the network itself)"]
    assert (slow["type"], slow["calls"], slow["output"]) == ("Slow", 2, "2 shapes")
    assert 2e3 * FORWARD <= slow["forward ms"] and 2e3 * BACKWARD <= slow["backward ms"] < 3e3 * BACKWARD
    # what the container does itself, without its layers
    assert 1e3 * FORWARD <= network["forward ms"] and 1e3 * BACKWARD <= network["backward ms"] < 2e3 * BACKWARD
    assert rows["conv"]["output"] == "1 x 4 x 6 x 6" and 0 < rows["conv"]["backward ms"] < 1e3 * BACKWARD
    # none of the backward pass of the next layer
    assert rows["quiet"]["calls"] == 1 and rows["quiet"]["forward ms"] > 0 == rows["quiet"]["backward ms"]


def test_all_times_sum_up_to_the_step(rows):
    step = rows["step"]["forward ms"]
    names = ["all layers", "gradients", "optimizer", "rest"]
    assert sum((rows[n]["forward ms"] or 0) + (rows[n]["backward ms"] or 0) for n in names) == pytest.approx(step)
    assert sum(rows[name]["% of step"] for name in names) == pytest.approx(100) == rows["step"]["% of step"]
    assert rows["optimizer"]["forward ms"] >= 10 and rows["rest"]["forward ms"] >= 40
    assert rows["gradients"]["backward ms"] > 0 and rows["all layers"]["forward ms"] >= 3e3 * FORWARD
    assert step >= 1e3 * (3 * FORWARD + 3 * BACKWARD) + 50


def test_recomputed_layers_count_for_themselves():
    model, image = Outer(), torch.zeros(1, 3, 8, 8, requires_grad=True)

    def step():
        torch.utils.checkpoint.checkpoint(model, image, use_reentrant=False).sum().backward()

    rows = {row["layer"]: row for row in layer_times(side(model, step), repeats=1)}
    assert rows["slow"]["calls"] == 4  # forward pass, and once more for the backward pass
    for name, calls in (("slow", 2), ("(the network itself)", 1)):
        assert 2e3 * calls * FORWARD <= rows[name]["forward ms"]
        assert 1e3 * calls * BACKWARD <= rows[name]["backward ms"] < 1e3 * (calls + 1) * BACKWARD
