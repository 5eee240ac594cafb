import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.models.backbones.padding_reuse import PaddedMap, repeat_middle


def network(padding, **kwargs):
    """In float64, with biases: the padding then makes other values than zeros."""
    torch.manual_seed(0)
    net = FCNVGG(width=0.04, padding=padding, out_indices=range(5), **kwargs).double()
    net.init_weights()
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.5)
    return net


def results(net, images, reuse):
    """Maps, and the gradients of the image and of all parameters for a random loss."""
    net.reuse_padding = reuse
    net.zero_grad()
    images = images.clone().requires_grad_()
    maps = net(images)
    torch.manual_seed(1)
    sum((one * torch.randn_like(one)).sum() for one in maps).backward()
    return [*maps, images.grad, *(p.grad for p in net.parameters() if p.requires_grad)]


def flops(net, images, reuse):
    net.reuse_padding = reuse
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(images)
    return counter.get_total_flops()


@pytest.mark.parametrize(
    "padding, size, settings",
    [
        *((padding, size, dict()) for padding in (100, 7, 2) for size in ((1, 1), (37, 60), (150, 47))),
        (60, (50, 80), dict(depth=11)),
        (60, (50, 80), dict(depth=13, norm_cfg=dict(type="BN"), norm_eval=True)),  # of known statistics
        (60, (50, 80), dict(depth=16, norm_cfg=dict(type="GN", num_groups=1))),  # which are computed from all cells
        # the fourth stage of VGG19 would need cells -2 to 31 of 32; a blank map of 14 would not fit into one of 12
        (86, (85, 85), dict(depth=19)),
        (12, (2, 2), dict(depth=19)),
    ],
    ids=str,
)
def test_maps_and_gradients_are_those_of_the_whole_computation(padding, size, settings):
    net, images = network(padding, **settings).train(), torch.randn(2, 3, *size, dtype=torch.float64)
    found, expected = results(net, images, True), results(net, images, False)
    assert len(found) == 5 + 1 + len(list(net.parameters()))
    for one, other in zip(found, expected):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_norms_that_see_the_batch_see_all_of_it():
    net = network(60, norm_cfg=dict(type="BN")).train()
    images, statistics = torch.randn(2, 3, 30, 30, dtype=torch.float64), []
    for reuse in (True, False):
        net.bn1_2.reset_running_stats()
        results(net, images, reuse)
        statistics.append(net.bn1_2.running_mean.clone())
    assert statistics[0].abs().sum() > 0
    torch.testing.assert_close(*statistics, rtol=0, atol=0)


def test_it_saves_what_lies_beyond_the_image():
    """Most of a small image's canvas; nothing where the image reaches the border of all maps."""
    small, large = torch.randn(1, 3, 20, 20, dtype=torch.float64), torch.randn(1, 3, 375, 500, dtype=torch.float64)
    net = network(100)
    assert flops(net, small, True) < 0.35 * flops(net, small, False)
    assert flops(net, large, True) < 0.67 * flops(net, large, False)
    net = network(2)
    assert flops(net, small, True) == flops(net, small, False)


def test_stages_are_whole_from_where_the_image_reaches_the_border():
    surrounded = PaddedMap.of_images(torch.ones(1, 1, 30, 30), 20)
    pool = nn.MaxPool2d(2, ceil_mode=True)
    windows, maps = [], []
    while surrounded := surrounded.behind(lambda x, padding: pool(x if padding else x[:, :, 1:-1, 1:-1]), reach=1):
        windows.append(surrounded.window)
        maps.append(surrounded.full[0, 0])
    # pixels 20 to 49 of 70, of which a cell sees two and one more on each side
    assert windows == [(range(9, 26),) * 2, (range(4, 14),) * 2, (range(1, 8),) * 2]
    assert [tuple(one.shape) for one in maps] == [(35, 35), (18, 18), (9, 9)]
    # the convolution here only cuts off a cell, so that ones stay where they are: pixels 20 to 49, by twos
    rows = [one.amax(1).nonzero().flatten().tolist() for one in maps]
    assert rows == [[*range(10, 25)], [*range(5, 13)], [*range(2, 7)]]


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (5, 2)])
def test_repeat_middle(size):
    x = torch.arange(size[0] * size[1]).view(1, 1, *size).float()
    found = repeat_middle(x, (7, 6), batch_size=2)
    rows = [*range(size[0] // 2), *[size[0] // 2] * (8 - size[0]), *range(size[0] // 2 + 1, size[0])]
    columns = [*range(size[1] // 2), *[size[1] // 2] * (7 - size[1]), *range(size[1] // 2 + 1, size[1])]
    assert torch.equal(found, x[:, :, rows][:, :, :, columns].expand(2, -1, -1, -1))
    found[0] = -1  # a tensor of its own
    assert found[1].min() == 0 == x.min()


def test_hooks_see_whole_maps():
    net, sizes = network(100), []
    net.conv1_2.register_forward_hook(lambda module, args, output: sizes.append(tuple(output.shape[2:])))
    net(torch.randn(1, 3, 20, 30, dtype=torch.float64))
    assert sizes == [(218, 228)]


def test_traced_networks_take_other_sizes():
    net = network(100).eval().requires_grad_(False)
    with torch.no_grad():
        traced = torch.jit.trace(lambda x: tuple(net(x)), torch.randn(1, 3, 20, 30, dtype=torch.float64))
        images = torch.randn(1, 3, 90, 50, dtype=torch.float64)
        for one, other in zip(traced(images), net(images)):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
