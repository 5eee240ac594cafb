import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from testing.narrow_backbones import BACKBONES
from torch import nn

from fcn_plugin.checks.model import build_without_values
from fcn_plugin.geometry import FeatureMap, feature_extractor, read_feature_maps
from fcn_plugin.geometry.feature_extractor import dry_run, takes_size
from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.models.necks import FCConvNeck


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("mmseg")


@pytest.mark.parametrize("name", BACKBONES)
def test_maps_are_those_of_a_real_run(name):
    backbone = MODELS.build(BACKBONES[name])
    maps = read_feature_maps(backbone)
    with torch.no_grad():
        features = backbone(torch.zeros(2, 3, 64, 64))
    assert [one.channels for one in maps] == [one.shape[1] for one in features]
    seen = dry_run(backbone)
    assert [(one.channels, one.stride) for one in maps] == [(one.channels, one.stride) for one in seen]


def test_map_that_does_not_grow_with_the_image():
    """In training, BatchNorm would refuse a map of one cell."""
    pooled = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(5)).train()
    assert dry_run(pooled) == (FeatureMap(5),)


def test_the_feature_extractor_is_left_as_it_is():
    backbone = MODELS.build(dict(BACKBONES["resnet18-v1c"], frozen_stages=1))
    backbone.train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    modes = [module.training for module in backbone.modules()]
    identities = [id(parameter) for parameter in backbone.parameters()]
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert len(dry_run(backbone)) == 4
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in backbone.modules()] == modes and {True, False} == set(modes)
    assert [id(parameter) for parameter in backbone.parameters()] == identities
    assert all(
        torch.equal(value, before[key]) and value.device.type == "cpu" for key, value in backbone.state_dict().items()
    )


class NeedsValues(nn.Conv2d):
    """A backbone, or a neck, that cannot run on the meta device."""

    def forward(self, x):
        x = super().forward(x[-1] if isinstance(x, tuple) else x)
        return (x / x.max().item(),)


def test_what_needs_values_is_not_checked():
    assert dry_run(NeedsValues(3, 4, 3)) is None
    assert dry_run(nn.Sequential(nn.Conv2d(3, 4, 3)), NeedsValues(4, 4, 3)) is None


def test_neck_that_does_not_fit():
    message = r"does not take the maps of the backbone \(13 channels at stride 8; .*set model.neck.in_channels=26"
    with pytest.raises(ValueError, match="FCConvNeck " + message):
        read_feature_maps(FCNVGG(width=0.05), FCConvNeck(25, 7))
    fpn = MODELS.build(dict(type="FPN", in_channels=[4, 8, 16, 33], out_channels=5, num_outs=4))
    with pytest.raises(ValueError, match=r"FPN does not take the maps of ResNetV1c \(4 channels at .*set model.neck"):
        read_feature_maps(MODELS.build(BACKBONES["resnet18-v1c"]), fpn)


@pytest.mark.parametrize("name", ["resnet18-v1c", "swin"])
def test_build_without_values(name):
    """Swin Transformer computes something when it is built, which cannot be without values."""
    model = build_without_values(BACKBONES[name])
    assert len(dry_run(model)) >= 3
    assert next(model.parameters()).device.type == ("cpu" if name == "swin" else "meta")


def test_sizes():
    unet = MODELS.build(BACKBONES["unet"])
    assert takes_size(unet, (32, 48)) and not takes_size(unet, (32, 49))


class Shifted(nn.Module):
    """A network that prints nothing of where it pads."""

    def __init__(self, left: int):
        super().__init__()
        self.conv, self.left = nn.Conv2d(3, 4, 8, stride=8), left

    def forward(self, x):
        sides = (self.left, 8 - self.left)
        return (self.conv(nn.functional.pad(x, (*sides, *sides))),)


def test_what_was_measured_is_kept_for_the_same_settings_alone():
    offsets = [float(feature_extractor._measured(Shifted(left))[0].coord_map.offset) for left in (0, 4, 0)]
    assert offsets == [3.5, -0.5, 3.5]
