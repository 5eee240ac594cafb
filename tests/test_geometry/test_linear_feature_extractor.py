import pytest
import torch
from torch import nn

from fcn_plugin.geometry.linear_feature_extractor import LinearFeatureExtractor
from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.models.necks import FCConvNeck


class WithTokens(nn.Module):
    """As timm's models, returns maps with class tokens."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 2, 2, 2)

    def forward(self, x):
        return [(self.conv(x), torch.ones(1, 2))]  # a map and a class token


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.with_cp = nn.Conv2d(3, 2, 2, 2), True

    def forward(self, x):
        assert not self.with_cp and not self.training
        return self.conv(x)


class Returning(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.what = what

    def forward(self, x):
        if isinstance(self.what, Exception):
            raise self.what
        return self.what(x)


def ones(height, width):
    return torch.ones(1, 1, height, width, dtype=torch.float64, requires_grad=True)


def test_maps_and_weights():
    extractor, image = LinearFeatureExtractor(WithTokens()), ones(8, 12)
    (feature_map,) = extractor.maps(image)
    assert feature_map.shape == (1, 2, 4, 6) and extractor.num_maps == 1 and extractor.name == "WithTokens"
    expected = torch.zeros(8, 12, dtype=torch.float64)
    expected[4:6, 10:12] = 0.25
    assert (extractor.weights(image, feature_map, (2, 5)) == expected.numpy()).all()


def test_activation_checkpointing_is_switched_off():
    (feature_map,) = LinearFeatureExtractor(Checkpointed()).maps(ones(4, 4))
    assert feature_map.shape == (1, 2, 2, 2)


def test_other_weights_are_others_and_always_the_same():
    extractor, image = LinearFeatureExtractor(WithTokens()), ones(4, 4)
    values = [extractor.maps(image, seed)[0].flatten()[0].item() for seed in (None, 1, 1, 2)]
    assert values[0] == 1 and values[1] == values[2] and len(set(values)) == 3


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_modules_are_left_as_they_are(device):
    """Also of modules without values, as a config's model is checked."""
    with torch.device(device):
        backbone, neck = FCNVGG(width=0.02, norm_cfg=dict(type="BN")), FCConvNeck(10, 4)
    before = [id(parameter) for parameter in backbone.parameters()]
    extractor = LinearFeatureExtractor(backbone, neck)
    assert extractor.name == "FCNVGG and FCConvNeck"
    assert [m.shape[1] for m in extractor.maps(ones(64, 64))] == [5, 10, 4]
    assert [id(parameter) for parameter in backbone.parameters()] == before and backbone.training
    assert backbone.conv1_1.weight.dtype == torch.float32 and backbone.conv1_1.weight.device.type == device


@pytest.mark.parametrize(
    "what, message",
    [
        (RuntimeError("a kernel is missing\nand more"), "Returning cannot be measured: a kernel is missing$"),
        (AssertionError(), "Returning cannot be measured: AssertionError$"),
        (lambda x: x.mean((2, 3)), r"it returns \(1, 3\), expected feature maps \(N, C, H, W\), alone or in a tuple"),
        (lambda x: (x, None), r"it returns \(1, 3, 64, 64\), NoneType, expected"),
        (lambda x: dict(out=x), "it returns dict, expected"),
        (lambda x: (), "it returns tuple, expected"),
    ],
)
def test_networks_that_cannot_be_measured(what, message):
    extractor = LinearFeatureExtractor(Returning(what))
    with pytest.raises(ValueError, match=message):
        extractor.maps(ones(64, 64))
