import pytest
import torch
from torch import nn

from fcn_plugin.benchmark import compute
from fcn_plugin.benchmark.compute import count_flops, matrix_product_rate


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
    assert count_flops(lambda: layer(image)) == forward
    assert count_flops(lambda: layer(image).sum().backward()) == 3 * forward
    image.requires_grad_(False)
    assert count_flops(lambda: layer(image).sum().backward()) == 2 * forward


def test_rate_is_that_of_the_fastest_product(monkeypatch):
    times = iter([3.0, 2.0, 4.0])
    sizes = []

    def measure_time(run, device):
        sizes.append(run().shape)
        return next(times)

    monkeypatch.setattr(compute, "measure_time", measure_time)
    rate = matrix_product_rate(torch.device("cpu"), torch.float32, size=10, repeats=3)
    assert rate == 2 * 10**3 / 2 and sizes == [(10, 10)] * 3
