from fractions import Fraction

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from testing.narrow_trunks import BACKBONES, build_linear, ramp

from fcn_plugin.geometry.backbones import UnknownGeometryError, trunk_maps
from fcn_plugin.geometry.coord_map import CoordMap
from fcn_plugin.models.backbones import FCNVGG

#: Options of known backbones that may move their maps.
VARIANTS = {
    "resnet-dilated": dict(BACKBONES["resnet18-v1c"], strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)),
    "resnet-caffe-dilated": dict(BACKBONES["resnet50"], strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)),
    "resnet-multigrid": dict(BACKBONES["resnet18-v1c"], multi_grid=(2, 4), contract_dilation=True),
    "resnet-stride1": dict(BACKBONES["resnet18-v1c"], type="ResNetV1d", strides=(1, 1, 1, 1)),
    "resnet-stages": dict(
        BACKBONES["resnet18-v1c"], num_stages=3, strides=(2, 2, 2), dilations=(1, 1, 1), out_indices=(2, 0)
    ),
    "mobilenet-dilated": dict(
        BACKBONES["mobilenet-v2"], strides=(1, 2, 2, 1, 1, 1, 1), dilations=(1, 1, 1, 2, 2, 4, 4), out_indices=(1, 6)
    ),
    "swin-patch2": dict(BACKBONES["swin"], patch_size=2, strides=(2, 2, 1, 2), out_indices=(0, 2, 3)),
    "hrnet-finest": dict(BACKBONES["hrnet"], multiscale_output=False),
    "unet-deconv": dict(
        BACKBONES["unet"], num_stages=4, strides=(1, 1, 1, 1), downsamples=(True, True, False),
        enc_num_convs=(1, 2, 2, 2), dec_num_convs=(1, 1, 1), enc_dilations=(1, 1, 2, 1), dec_dilations=(1, 1, 1),
        upsample_cfg=dict(type="DeconvModule"),
    ),
    "fcnvgg-padded": dict(type="FCNVGG", width=0.05, depth=11, out_indices=(1, 3)),
    "convnext-stem8": dict(BACKBONES["convnext"], stem_patch_size=8, out_indices=[0, -1]),
    "vgg11-bn": dict(type="mmpretrain.VGG", depth=11, norm_cfg=dict(type="BN"), out_indices=(2, 3, 4)),
    "vgg11-dilated": dict(
        type="mmpretrain.VGG", depth=11, dilations=(1, 1, 1, 1, 2), with_last_pool=False, ceil_mode=True,
        out_indices=(4,),
    ),
}  # fmt: skip
CASES = {**BACKBONES, **VARIANTS}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("mmseg")


def skip_without(cfg):
    if str(cfg["type"]).startswith("mmpretrain."):
        pytest.importorskip("mmpretrain")


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_cells_see_the_pixels_that_they_are_derived_to_lie_on(name):
    """A linear copy of the backbone averages the pixels' own coordinates in each cell, along both axes."""
    cfg = CASES[name]
    skip_without(cfg)
    derived = trunk_maps(cfg)
    backbone = build_linear(cfg)
    height, length = (32, 384) if name.startswith("vgg") else (64, 2048)
    for turned in (False, True):
        coordinates = ramp(height, length)
        image = coordinates.transpose(2, 3) if turned else coordinates
        sums, weights = backbone(image), backbone(torch.ones_like(image))
        sums, weights = ([m] if isinstance(m, torch.Tensor) else m for m in (sums, weights))
        assert len(sums) == len(derived) > 0
        for total, weight, coord_map in zip(sums, weights, derived):
            centres = (total / weight).mean(1)[0]
            centres = centres.T if turned else centres
            middle = int((length / 2 - coord_map.offset) / coord_map.stride)
            cells = [middle - 2, middle, middle + 1]  # far from the ends of the image, which some paddings fill
            expected = torch.tensor([float(coord_map.pixel(cell)) for cell in cells], dtype=torch.float64)
            found = centres[centres.shape[0] // 2, cells]
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_resnet50_by_hand():
    """7x7 with padding 3, 3x3 with padding 1: every kernel is centred on the first pixel of its stride."""
    expected = tuple(CoordMap(stride, 0) for stride in (4, 8, 16, 32))
    for name in ("ResNet", "ResNetV1c"):
        assert trunk_maps(dict(type=name, depth=50)) == expected
    assert trunk_maps(dict(type=f"mmseg.{name}", depth=50)) == expected


def test_mobilenet_v2_by_hand():
    expected = tuple(CoordMap(stride, 0) for stride in (4, 8, 16, 32))
    assert trunk_maps(dict(type="MobileNetV2")) == expected
    sixteen = trunk_maps(dict(type="MobileNetV2", out_indices=(3, 4)))
    assert sixteen == (CoordMap(16, 0), CoordMap(16, 0))


def test_swin_by_hand():
    """A patch of s pixels is centred on their middle, (s - 1) / 2."""
    assert trunk_maps(dict(type="SwinTransformer")) == tuple(CoordMap(s, Fraction(s - 1, 2)) for s in (4, 8, 16, 32))


def test_classes_that_tell_it_themselves():
    vgg, neck = dict(type=FCNVGG, padding=7), dict(type="FCConvNeck", fc6_kernel=3)
    maps = trunk_maps(vgg, neck)
    assert maps[:2] == FCNVGG.coord_maps(padding=7)[:2]
    assert maps[2] == FCNVGG.coord_maps(padding=7)[2].conv(3)
    assert trunk_maps(dict(type="ResNet", depth=50), neck)[-1] == CoordMap(32, 32)


@pytest.mark.parametrize(
    "backbone, neck, message",
    [
        (dict(type="MixVisionTransformer"), None, "the geometry of MixVisionTransformer is not known"),
        (dict(type="NoNet"), None, "the geometry of NoNet is not known"),
        (dict(type="ResNet", depth=50), dict(type="FPN"), "the geometry of FPN is not known"),
        (
            dict(type="UNet", strides=(1, 2, 1, 1, 1)),
            None,
            r"adds upsampled maps that lie at \(stride 1, offset -0.5\) to the encoder's at \(stride 1, offset 0\)",
        ),
        (
            dict(type="ResNetV1d", depth=50),
            None,
            r"averaged shortcuts of a ResNet lie at \(stride 8, offset 2\), its convolutions at \(stride 8, offset 0\)",
        ),
    ],
)
def test_positions_that_are_not_known(backbone, neck, message):
    with pytest.raises(UnknownGeometryError, match=message + r".*geometry=\[dict\(stride=.*tools/alignment.py"):
        trunk_maps(backbone, neck)


def test_a_derived_class_is_not_known():
    class OtherStem(MODELS.get("ResNet")):
        pass

    with pytest.raises(UnknownGeometryError, match="OtherStem is not known"):
        trunk_maps(dict(type=OtherStem, depth=50))


def test_backbones_that_return_no_maps():
    pytest.importorskip("mmpretrain")
    with pytest.raises(ValueError, match="set gap_before_final_norm=False"):
        trunk_maps(dict(type="mmpretrain.ConvNeXt"))
    with pytest.raises(ValueError, match="a classifier of 10 classes.*leave num_classes out"):
        trunk_maps(dict(type="mmpretrain.VGG", depth=11, num_classes=10))
