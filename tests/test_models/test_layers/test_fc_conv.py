import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fcn_plugin.models.layers import fc_conv
from fcn_plugin.models.layers.fc_conv import FCConv
from fcn_plugin.paper.peak_memory import PeakMemory


@pytest.fixture(autouse=True)
def several_blocks(monkeypatch):
    monkeypatch.setattr(fc_conv, "BLOCK", 24)  # of 100 filters: the last block is smaller


def pair(kernel, padding, dtype=torch.float32):
    torch.manual_seed(0)
    layer = FCConv(5, 100, kernel, padding).to(dtype)
    plain = nn.Conv2d(5, 100, kernel, padding=padding).to(dtype)
    plain.load_state_dict(layer.state_dict())
    return layer, plain


def outputs(layer, x, grad, autocast=False):
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        y = layer(x)
    y.backward(grad.to(y.dtype))
    return y, x.grad, layer.weight.grad, layer.bias.grad


@pytest.mark.parametrize("kernel, padding, batch", [(1, 0, 1), (3, 0, 1), (3, 1, 2), (4, 0, 3), (1, 0, 3)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_is_a_convolution(kernel, padding, batch, memory_format):
    layer, plain = pair(kernel, padding, torch.float64)
    x = torch.randn(batch, 5, 4, 6, dtype=torch.float64).to(memory_format=memory_format)
    grad = torch.randn_like(plain(x))
    assert layer._by_blocks(x) == (grad[:, 0].numel() <= 50)  # half as many cells as filters
    for found, expected in zip(outputs(layer, x, grad), outputs(plain, x, grad)):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kernel, batch", [(1, 1), (3, 2)])
def test_mixed_precision_rounds_no_more_than_a_convolution(kernel, batch):
    """Against float64, from the same rounded inputs: output and gradients have errors of bfloat16, 1/256."""
    layer, plain = pair(kernel, 0)
    x = torch.randn(batch, 5, 4, 6).bfloat16().float()
    grad = torch.randn_like(plain(x)).bfloat16().float()
    exact = nn.Conv2d(5, 100, kernel).double()
    exact.load_state_dict({key: value.bfloat16().double() for key, value in layer.state_dict().items()})
    found, converted = outputs(layer, x, grad, autocast=True), outputs(plain, x, grad, autocast=True)
    for one, other, expected in zip(found, converted, outputs(exact, x.double(), grad.double())):
        assert one.dtype == other.dtype
        scale = expected.abs().max()
        assert (one - expected).abs().max() / scale < max(0.01, 1.5 * float((other - expected).abs().max() / scale))


@pytest.mark.parametrize("change", [dict(dilation=(2, 2)), dict(stride=(2, 2))])
def test_changed_layers(change):
    """As the dense form of a network does it."""
    layer, plain = pair(3, 0)
    for one in (layer, plain):
        vars(one).update(change)
    x = torch.randn(1, 5, 7, 6)
    grad = torch.randn_like(plain(x))
    for autocast in (False, True):
        for found, expected in zip(outputs(layer, x, grad, autocast), outputs(plain, x, grad, autocast)):
            torch.testing.assert_close(found, expected)


def test_only_what_is_needed_gets_a_gradient():
    layer, _ = pair(3, 0)
    x = torch.randn(1, 5, 4, 6)
    layer(x).sum().backward()
    assert layer.weight.grad is not None and x.grad is None
    layer.zero_grad()
    layer.requires_grad_(False)
    x.requires_grad_()
    layer(x).sum().backward()
    expected = torch.autograd.grad(F.conv2d(x, layer.weight).sum(), x)[0]
    torch.testing.assert_close(x.grad, expected)
    assert layer.weight.grad is None


def test_there_is_never_a_copy_of_all_weights():
    """Of 100 x 5 x 9 x 9 weights, a block at a time is converted; their gradient is made once, and not converted."""
    layer = FCConv(5, 100, 9)
    size = layer.weight.nbytes
    x = torch.randn(1, 5, 10, 11)
    for _ in range(2):  # oneDNN and autograd keep nothing else
        layer.zero_grad()
        with PeakMemory() as memory, torch.autocast("cpu", torch.bfloat16):
            layer(x).float().sum().backward()
    assert size < memory.peak < 1.5 * size
    plain = nn.Conv2d(5, 100, 9)
    with PeakMemory() as memory, torch.autocast("cpu", torch.bfloat16):
        plain(x).float().sum().backward()
    assert memory.peak > 1.9 * size


def test_traced():
    layer, plain = pair(3, 0)
    layer.eval()
    with torch.no_grad():
        traced = torch.jit.trace(layer, torch.randn(1, 5, 4, 6))
        x = torch.randn(2, 5, 9, 8)
        torch.testing.assert_close(traced(x), plain(x))
