from fractions import Fraction

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from testing.narrow_trunks import BACKBONES
from torch import nn

from fcn_plugin.geometry.backbones import trunk_maps
from fcn_plugin.geometry.trunk import TrunkMap, build_without_values, dry_run, takes_size
from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.models.necks import FCConvNeck


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("mmseg")


@pytest.mark.parametrize("name", BACKBONES)
def test_maps_are_those_of_a_real_run(name):
    cfg = BACKBONES[name]
    if cfg["type"].startswith("mmpretrain."):
        pytest.importorskip("mmpretrain")
    backbone = MODELS.build(cfg)
    found = dry_run(backbone).maps
    with torch.no_grad():
        features = backbone(torch.zeros(2, 3, 64, 64))
    assert [one.channels for one in found] == [one.shape[1] for one in features]
    assert [one.stride for one in found] == [one.stride for one in trunk_maps(cfg)]


def test_padded_trunk_with_a_valid_fc6():
    output = dry_run(FCNVGG(width=0.05), FCConvNeck(26, 7))
    assert output.maps == (TrunkMap(13, 8), TrunkMap(26, 16), TrunkMap(7, 32)) and output.knows_positions
    assert not dry_run(MODELS.build(BACKBONES["resnet18-v1c"])).knows_positions


def test_strides_that_are_no_powers_of_two():
    """Those that a map is said to have are measured exactly; one that it has not said is seen to be another."""
    backbone = nn.Sequential(nn.Conv2d(1, 4, 5, 3, 1), nn.Conv2d(4, 5, 7, 7))
    assert dry_run(backbone, strides=[Fraction(21)]).maps == (TrunkMap(5, 21),)
    assert dry_run(backbone, strides=[Fraction(20)]).maps[0].stride not in (20, None)


def test_map_that_does_not_grow_with_the_image():
    """In training, BatchNorm would refuse a map of one cell."""
    pooled = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(5)).train()
    assert dry_run(pooled).maps == (TrunkMap(5, None),)


def test_the_trunk_is_left_as_it_is():
    backbone = MODELS.build(dict(BACKBONES["resnet18-v1c"], frozen_stages=1))
    backbone.train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    modes = [module.training for module in backbone.modules()]
    identities = [id(parameter) for parameter in backbone.parameters()]
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert len(dry_run(backbone).maps) == 4
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
    with pytest.raises(
        ValueError, match=r"FCConvNeck does not take the maps of FCNVGG \(13 channels at stride 8; .*set model.neck"
    ):
        dry_run(FCNVGG(width=0.05), FCConvNeck(25, 7))


@pytest.mark.parametrize("name", ["resnet18-v1c", "swin"])
def test_build_without_values(name):
    """Swin Transformer computes something when it is built, which cannot be without values."""
    model = build_without_values(BACKBONES[name])
    assert len(dry_run(model).maps) >= 3
    assert next(model.parameters()).device.type == ("cpu" if name == "swin" else "meta")


def test_sizes():
    unet = MODELS.build(BACKBONES["unet"])
    assert takes_size(unet, (32, 48)) and not takes_size(unet, (32, 49))
