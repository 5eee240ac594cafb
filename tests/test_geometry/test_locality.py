"""How far the outputs of networks see, which is known of small ones, and what keeps a window from being exact."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fcn_plugin.geometry.locality import Locality, NotLocalError, measure_locality


def locality(*layers, stride=1):
    return measure_locality(nn.Sequential(*layers).eval(), lambda network, images: network(images), stride)


class Function(nn.Module):
    """A layer that is a function of its input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Places(nn.Module):
    """Position embeddings, interpolated to the map."""

    def __init__(self):
        super().__init__()
        self.embeddings = nn.Parameter(torch.zeros(1, 4, 8, 8))

    def forward(self, x: Tensor) -> Tensor:
        return x + functional.interpolate(self.embeddings, x.shape[2:])


class Gated(nn.Module):
    """Squeeze-and-excitation, written without modules of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x.mean((2, 3), keepdim=True))


class Attention(nn.Module):
    """All places attend to all."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        return self.function(tokens).transpose(1, 2).reshape(x.shape)


def products(tokens: Tensor) -> Tensor:
    return (tokens @ tokens.transpose(1, 2)).softmax(-1) @ tokens


CONV = nn.Conv2d(3, 4, 3, padding=1)
LOCAL = {
    "conv": ((CONV,), 1, Locality(1, 1)),
    "dilated": ((nn.Conv2d(3, 4, 5, padding=6, dilation=3),), 1, Locality(6, 1)),
    "more-padding": ((nn.Conv2d(3, 4, 3, padding=8), Function(lambda x: x[:, :, 7:-7, 7:-7])), 1, Locality(1, 1)),
    # a cell of stride 2 sees itself and a pixel before; repeated, a pixel sees 2 before it, or 1 behind
    "nearest": ((nn.Conv2d(3, 4, 3, 2, 1), nn.Upsample(scale_factor=2)), 2, Locality(2, 2)),
    "norm": ((CONV, nn.BatchNorm2d(4), nn.SiLU()), 1, Locality(1, 1)),
    "instance-norm-of-training": ((CONV, nn.InstanceNorm2d(4, track_running_stats=True)), 1, Locality(1, 1)),
    "gate-of-a-pixel": ((CONV, Function(lambda x: x * torch.sigmoid(x))), 1, Locality(1, 1)),
    "channels": (
        (CONV, Function(lambda x: functional.layer_norm(x.movedim(1, 3), (4,)).movedim(3, 1))),
        1,
        Locality(1, 1),
    ),
    "stretched": (
        (Function(lambda x: functional.interpolate(functional.avg_pool2d(x, 2, ceil_mode=True), x.shape[2:])[:, :2]),),
        2,
        Locality(0, 2),
    ),
    "stretched-linearly": (
        (
            Function(
                lambda x: functional.interpolate(
                    functional.avg_pool2d(x, 2, ceil_mode=True), x.shape[2:], mode="bilinear"
                )
            ),
        ),
        2,
        Locality(2, 2, whole_cells=True),
    ),
}


@pytest.mark.parametrize("layers, stride, expected", LOCAL.values(), ids=LOCAL)
def test_margin_of_local_networks(layers, stride, expected):
    assert locality(*layers, stride=stride) == expected


GLOBAL = {
    "pooling": (Function(lambda x: x + nn.AdaptiveAvgPool2d(1)(x)), "by Function (1), which see all of a map"),
    "gates": (Gated(), r"by Gated \(1\)"),
    "group-norm": (nn.GroupNorm(2, 4), r"by GroupNorm \(1\)"),
    "layer-norm": (Function(lambda x: functional.layer_norm(x, x.shape[1:])), r"by Function \(1\)"),
    "instance-norm": (nn.InstanceNorm2d(4), r"by InstanceNorm2d \(1\)"),
    "batch-norm": (nn.BatchNorm2d(4, track_running_stats=False), r"by BatchNorm2d \(1\)"),
    "response-norm": (Function(lambda x: x * (x / x.norm(p=2, dim=(2, 3), keepdim=True))), r"by Function \(1\)"),
    "products": (Attention(products), r"by Attention \(1\)"),
    "attention": (Attention(lambda x: functional.scaled_dot_product_attention(x, x, x)), r"by Attention \(1\)"),
    "places": (Places(), "depends on where the picture begins"),
}


@pytest.mark.parametrize("layer, says", GLOBAL.values(), ids=GLOBAL)
def test_what_is_not_local(layer, says, monkeypatch):
    for name, value in dict(START_LENGTH=64, MAX_LENGTH=64, WIDTHS=(4,)).items():
        monkeypatch.setattr(f"fcn_plugin.geometry.locality.{name}", value)
    says = says.replace("(1)", r"\(1\)") if "\\" not in says else says
    with pytest.raises(NotLocalError, match=says):
        locality(CONV, layer, nn.Conv2d(4, 2, 1))


def test_the_network_is_left_as_it_is():
    network = nn.Sequential(CONV, nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    measure_locality(network, lambda network, images: network(images), 1)
    assert network.training and all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())
