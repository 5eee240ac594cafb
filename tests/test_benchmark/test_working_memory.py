import numpy as np
import pytest
import torch
from torch import nn

from fcn_plugin.benchmark.working_memory import WorkingMemory, step_memory

SIZE = 1000  # values of the parameter; small values beside it take less than SLACK bytes
SLACK = 100
BYTES = 4 * SIZE


def test_what_is_left_out_later_was_never_there():
    with WorkingMemory() as memory:
        small = torch.zeros(10)
        large = torch.zeros(100)
        torch.zeros(20)
        assert memory.peak == memory.working_peak == 4 * 130
        memory.leave_out([large[3:]])  # a view of the same memory
        assert memory.working_peak == 4 * 30
        del large
        again = torch.zeros(100)  # perhaps at the same address
        assert memory.working_peak == 4 * 110
        memory.leave_out([small])
    assert memory.working_peak == 4 * 100 and memory.peak == 4 * 130
    assert again.sum() == 0


def test_leaving_out_what_was_there_before_changes_nothing():
    before = torch.zeros(100)
    with WorkingMemory() as memory:
        for _ in range(3):
            torch.zeros(10)
        memory.leave_out([before])
    assert memory.working_peak == 40


class Network(nn.Module):
    """One parameter, and a function of it."""

    def __init__(self, function):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(SIZE))
        self.function = function

    def forward(self):
        return self.function(self.weight).sum()


def measure(function, zero_first=False, **settings):
    network = Network(function)
    optimizer = torch.optim.SGD(network.parameters(), **{"lr": 0.1, "momentum": 0.9, "foreach": False, **settings})

    def step():
        if zero_first:
            optimizer.zero_grad()
        network().backward()
        optimizer.step()
        if not zero_first:
            optimizer.zero_grad()

    step()
    return step_memory(step, network, optimizer)


@pytest.mark.parametrize("zero_first", [False, True])
def test_gradients_and_state_are_left_out(zero_first):
    # the product, then its gradients for both factors, of which one is added to the other
    assert BYTES <= measure(lambda w: w * w, zero_first) < 2 * BYTES + SLACK
    factor = torch.full((SIZE,), 2.0)
    assert BYTES <= measure(lambda w: w * factor, zero_first) < BYTES + SLACK


def test_state_that_is_made_anew_is_left_out():
    class Renewing(torch.optim.SGD):
        def step(self):
            super().step()
            for state in self.state.values():
                state["momentum_buffer"] = state["momentum_buffer"].clone()

    network = Network(lambda w: w.detach() @ w)
    optimizer = Renewing(network.parameters(), lr=0.1, momentum=0.9, foreach=False)

    def step():
        network().backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    assert step_memory(step, network, optimizer) < SLACK


def test_scratch_memory_of_the_optimizer_counts():
    assert measure(lambda w: w.detach() @ w) < SLACK
    assert BYTES <= measure(lambda w: w.detach() @ w, weight_decay=0.1) < BYTES + SLACK


def test_a_gradient_of_another_format_counts():
    factor = torch.full((SIZE,), 2.0, dtype=torch.bfloat16)
    half = BYTES // 2
    # the copy and the product in bfloat16, or the copy's gradient; not the float32 gradient that is made from it
    assert half <= measure(lambda w: w.to(torch.bfloat16) * factor) < 2 * half + SLACK


class Scratch(torch.autograd.Function):
    """Needs memory of its own in both passes, also such as no operation has made."""

    @staticmethod
    def forward(ctx, x, forward, backward):
        ctx.kept, ctx.backward_size = torch.from_numpy(np.zeros(forward, dtype=np.float32)), backward
        return x.sum()

    @staticmethod
    def backward(ctx, grad):
        scratch = torch.zeros(ctx.backward_size)
        return (grad + scratch.sum()).expand(SIZE), None, None


@pytest.mark.parametrize("forward, backward", [(5000, 0), (0, 5000), (5000, 3000)])
def test_memory_of_a_custom_function_counts(forward, backward):
    found = measure(lambda w: Scratch.apply(w, forward, backward))
    assert 4 * (forward + backward) <= found < 4 * (forward + backward) + SLACK


class OwnGradient(torch.autograd.Function):
    """Sets the gradient of its parameter by itself."""

    @staticmethod
    def forward(ctx, weight, parameter):
        ctx.parameter = parameter
        return weight.sum()

    @staticmethod
    def backward(ctx, grad):
        ctx.parameter.grad = torch.ones(SIZE)
        return None, None


def test_a_gradient_that_was_not_accumulated_is_left_out():
    assert measure(lambda w: OwnGradient.apply(w, w)) < SLACK


def test_hooks_are_removed():
    network = Network(lambda w: w * 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    step_memory(lambda: network().backward(), network, optimizer)
    assert not network.weight._post_accumulate_grad_hooks
    assert not optimizer._optimizer_step_pre_hooks and not optimizer._optimizer_step_post_hooks
