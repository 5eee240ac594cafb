import pytest
import torch
from testing.dense_networks import NETWORKS, fcn32s, random_image
from torch import nn

from fcn_plugin.geometry.coord_map import IMAGE
from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.paper.a_trous import DenseMaxPool, dense_form, layers_in_order


def test_by_hand():
    """A max pooling of two pixels and a filter (1, 10) on its output, on an image of one row."""
    image = torch.tensor([[[[3.0, 1, 2, 0, 5]]]])
    conv = nn.Conv2d(1, 1, (1, 2), bias=False).requires_grad_(False)
    conv.weight.copy_(torch.tensor([1.0, 10]))
    layers = [nn.MaxPool2d(2, 2, ceil_mode=True), conv]
    # pooled: 3 2 5; filtered: 3 + 20, 2 + 50
    assert dense_form(layers, 2)(image).flatten().tolist() == [23, 52]
    # pooled at every pixel: 3 2 2 5 5; filtered with a hole: 3 + 20, 2 + 50, 2 + 50
    pool, rare = dense_form(layers, 1)
    assert pool(image).flatten().tolist() == [3, 2, 2, 5, 5]
    assert (rare.dilation, rare.stride) == ((2, 2), (1, 1)) and rare(pool(image)).flatten().tolist() == [23, 52, 52]
    # without padding, no window stands out
    assert dense_form(layers, 1, padded=False)[0](image.repeat(1, 1, 2, 1)).flatten().tolist() == [3, 2, 2, 5]


@pytest.mark.parametrize(
    "stride, pools, dilations",
    [
        (32, [2, 2, 2, 2, 2], [1, 1, 1, 1, 1, 1]),
        (16, [2, 2, 2, 2, 1], [1, 1, 1, 1, 1, 2]),
        (8, [2, 2, 2, 1, 1], [1, 1, 1, 1, 2, 4]),
        (4, [2, 2, 1, 1, 1], [1, 1, 1, 2, 4, 8]),
        (1, [1, 1, 1, 1, 1], [1, 2, 4, 8, 16, 32]),
    ],
)
def test_dilations_of_vgg16(stride, pools, dilations):
    """By stage: a pooling that no longer subsamples doubles the dilation of all that follows."""
    model = fcn32s("vgg16", 100, width=0.002)
    layers = layers_in_order(model, random_image(40, 40))
    names = {module: name for name, module in model.named_modules()}
    assert [names[layer].split(".")[-1] for layer in layers if isinstance(layer, nn.Conv2d)] == [
        *model.backbone.conv_names,
        "fc6",
        "fc7",
    ]
    dense = dense_form(layers, stride)
    assert [layer.stride for layer in dense if isinstance(layer, DenseMaxPool)] == pools
    found = [layer.dilation[0] for layer in dense if isinstance(layer, nn.Conv2d)]
    assert found == [d for d, convs in zip(dilations, (2, 2, 3, 3, 3, 2)) for _ in range(convs)]
    paddings = [layer.padding[0] for layer in dense if isinstance(layer, nn.Conv2d)]
    assert paddings == [100, *found[1:-2], 0, 0]
    originals = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert all(d.weight is o.weight for d, o in zip((x for x in dense if isinstance(x, nn.Conv2d)), originals))
    assert all(o.stride == (1, 1) and o.dilation == (1, 1) for o in originals)  # the network itself is unchanged


@pytest.mark.parametrize("network", ["vgg11", "vgg11-bn", "vgg16", "googlenet", "caffenet"])
def test_without_padding_a_network_is_one_convolution_as_large_as_its_field(network):
    """In the number of its cells, and in what they see: nothing outside of the field, and its corners."""
    model = fcn32s(network, 100, width=0.002)
    field = NETWORKS[network][2]
    layers = layers_in_order(model, random_image(40, 40))
    for stride in (32, 8):
        dense = dense_form(layers, stride, padded=False)
        for more in (0, 1, stride - 1, stride, 2 * stride + 3) if field < 400 else (0, stride - 1, stride):
            with torch.no_grad():
                cells = dense(random_image(field + more, field)).shape[2:]
            assert tuple(cells) == (more // stride + 1, 1)
    with pytest.raises((RuntimeError, AssertionError)):
        assert dense(random_image(field, field - 1)).numel()


@pytest.mark.parametrize("network, padding", [("vgg11", 100), ("vgg11-bn", 60), ("googlenet", 200), ("vgg16", 100)])
def test_without_padding_the_scores_are_those_that_padding_does_not_touch(network, padding):
    model = fcn32s(network, padding)
    image = random_image(field := NETWORKS[network][2] + 40, field + 10)
    layers = layers_in_order(model, image)
    (own_map,) = model.decode_head.feature_maps
    with torch.no_grad():
        padded = model.extract_feat(image)[-1]
        inside = [own_map.cells_inside(length) for length in image.shape[2:]]
        assert all(inside)
        start = [own_map.pixel(cells.start) - (own_map.size - 1) / 2 for cells in inside]
        y, x = map(int, start)
        dense = dense_form(layers, 32, padded=False)(image[:, :, y:, x:])
    where = IMAGE.conv(int(own_map.size), 32)
    assert [where.pixel(0) + first for first in (y, x)] == [own_map.pixel(cells.start) for cells in inside]
    (rows, columns) = (slice(cells.start, cells.stop) for cells in inside)
    torch.testing.assert_close(dense, padded[:, :, rows, columns], rtol=1e-9, atol=1e-9)
    assert dense.std() > 1e-3


def test_ceil_mode_keeps_the_windows_that_stand_out():
    """Of a pooling of 3 by 2, the windows that start at the last but one cell, of each phase."""
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    for length in range(2, 12):
        row = torch.randn(1, 1, 3, length)
        dense = DenseMaxPool(pool, 1, 1, padded=True)(row)[0, 0, 0]
        assert dense.tolist() == [row[..., i : i + 3].max() for i in range(length - 1)]
        assert torch.equal(DenseMaxPool(pool, 1, 2, padded=True)(row), pool(row))
        if length > 2:  # at a distance of two, the phases are poolings of their own
            rare = DenseMaxPool(pool, 2, 1, padded=True)(row.repeat_interleave(2, 3).repeat_interleave(2, 2))
            assert torch.equal(rare[:, :, ::2, ::2][..., : length - 1], rare[:, :, 1::2, 1::2][..., : length - 1])
            assert torch.equal(rare[0, 0, 0, ::2], dense)


class Shortcut(FCNVGG):
    """A backbone with a shortcut around its pooling."""

    def run_stage(self, number, x, padding=None):
        out = super().run_stage(number, x, padding)
        return out if number != 2 else out + self.pool(x)


class Twice(FCNVGG):
    """A backbone that goes on with a map of its own."""

    def run_stage(self, number, x, padding=None):
        return 2 * super().run_stage(number, x, padding)


@pytest.mark.parametrize("backbone, message", [
    (Shortcut, "Shortcut is no chain of layers: MaxPool2d does not follow the one before it"),
    (Twice, "Twice is no chain of layers: Conv2d does not follow the one before it"),
])  # fmt: skip
def test_networks_that_are_no_chain(backbone, message):
    model = fcn32s("vgg11", 100, width=0.001)
    model.backbone.__class__ = backbone
    with pytest.raises(ValueError, match=message):
        layers_in_order(model, random_image(40, 40))
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    "layer", [nn.AvgPool2d(2), nn.Sequential(nn.ReLU()), nn.Conv2d(1, 1, 3, padding="same"),
              nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), nn.ConvTranspose2d(1, 1, 2)]
)  # fmt: skip
def test_layers_without_a_dense_form(layer):
    with pytest.raises(ValueError, match=f"{type(layer).__name__} has no dense form: expected convolutions"):
        dense_form([layer], 1)


@pytest.mark.parametrize("stride", [3, 64, 6])
def test_strides_that_are_no_divisors(stride):
    with pytest.raises(ValueError, match=f"must be a divisor of the network's 32: got {stride}"):
        dense_form([nn.MaxPool2d(2)] * 5, stride)
