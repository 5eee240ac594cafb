import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from testing.narrow_backbones import BACKBONES, without_interpolated_paths

from fcn_plugin.geometry import CoordMap, UnknownGeometryError, read_feature_maps
from fcn_plugin.geometry.linear_feature_extractor import LinearFeatureExtractor
from fcn_plugin.geometry.measurement import measure_alignment
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


def positions(backbone, neck=None):
    """Where the maps of a feature extractor lie that is built from configs."""
    maps = read_feature_maps(MODELS.build(backbone), neck and MODELS.build(neck))
    return tuple(one.coord_map for one in maps)


@pytest.mark.parametrize("name", CASES)
def test_cells_lie_where_they_are_measured(name):
    """Derived from the layers' settings, and measured of what the network computes."""
    backbone = MODELS.build(CASES[name])
    derived = read_feature_maps(backbone)
    measured = measure_alignment(LinearFeatureExtractor(without_interpolated_paths(backbone)))
    assert len(derived) > 0
    assert [(m.channels, m.coord_map) for m in measured] == [(one.channels, one.coord_map) for one in derived]
    if "resn" in name or name.startswith(("vgg", "fcnvgg", "mobilenet", "swin")):  # others add paths of larger fields
        assert [m.field for m in measured] == [(one.coord_map.size,) * 2 for one in derived]


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_last_cells_of_all_sizes(name):
    """The last cell lies where the map's ``end`` says in the worst size of the image, and never further inside."""
    cfg = CASES[name]
    backbone = MODELS.build(cfg)
    backbone.eval()  # of some, it returns nothing
    maps = read_feature_maps(backbone)
    coarsest = int(max(one.stride for one in maps))
    found = [[] for _ in maps]
    for length in range(4 * coarsest, 5 * coarsest):
        try:
            features = backbone(torch.zeros(1, 3, 2 * coarsest, length))
        except AssertionError:  # UNet takes whole cells alone
            continue
        for ends, feature, one in zip(found, [features] if torch.is_tensor(features) else features, maps):
            ends.append(one.coord_map.pixel(feature.shape[3] - 1) - (length - 1))
    for ends, one in zip(found, maps):
        assert min(ends) == one.coord_map.end or (name.startswith("unet") and min(ends) >= one.coord_map.end)


def test_resnet50_by_hand():
    """7x7 with padding 3, 3x3 with padding 1: every kernel is centred on the first pixel of its stride."""
    expected = tuple(CoordMap(stride, 0) for stride in (4, 8, 16, 32))
    for name in ("ResNet", "ResNetV1c", "mmseg.ResNet"):
        assert positions(dict(type=name, depth=50)) == expected
    maps = read_feature_maps(MODELS.build(dict(type="ResNet", depth=50, style="caffe")))
    assert [one.channels for one in maps] == [256, 512, 1024, 2048]
    assert [one.coord_map.size for one in maps] == [35, 99, 291, 483]  # receptive fields, as published
    assert [one.coord_map.end for one in maps] == [-3, -7, -15, -31] and all(one.coord_map.ends_inside for one in maps)


def test_own_backbone_with_own_neck():
    backbone, neck = dict(type=FCNVGG, padding=7, width=0.02), dict(type="FCConvNeck", channels=4, fc6_kernel=3)
    plain = positions(backbone)
    assert positions(backbone, dict(neck, in_channels=10)) == (*plain[:2], plain[2].conv(3))
    assert positions(BACKBONES["resnet18-v1c"], dict(neck, in_channels=32))[-1] == CoordMap(32, 32)


FPN = dict(type="FPN", in_channels=[4, 8, 16, 32], out_channels=5)


@pytest.mark.parametrize(
    "settings, strides",
    [
        (dict(num_outs=5), [4, 8, 16, 32, 64]),
        (dict(num_outs=2, start_level=1, end_level=3), [8, 16]),
        (dict(num_outs=6, add_extra_convs="on_input"), [4, 8, 16, 32, 64, 128]),
        (dict(num_outs=5, add_extra_convs="on_lateral", start_level=1), [8, 16, 32, 64, 128]),
    ],
)
def test_fpn(settings, strides):
    """Each level lies where the backbone's map does; convolutions and poolings make further ones."""
    backbone, neck = MODELS.build(BACKBONES["resnet18-v1c"]), MODELS.build(FPN | settings)
    maps = read_feature_maps(backbone, neck)
    assert [(one.channels, one.coord_map) for one in maps] == [(5, CoordMap(stride, 0)) for stride in strides]
    features = neck(backbone(torch.zeros(1, 3, 256, 256)))
    assert [256 // feature.shape[2] for feature in features] == strides


@pytest.mark.parametrize(
    "name, offsets, end, whole_cells",
    [("resnet18", [0, 0, 0, 0, 0], -31, False), ("tf_efficientnet_lite0", [1, 3, 7, 15, 31], 0, True)],
)
def test_networks_of_timm_are_measured(name, offsets, end, whole_cells):
    """TensorFlow's networks pad by the size of the image, at the end more than at the start."""
    maps = read_feature_maps(MODELS.build(dict(type="TIMMBackbone", model_name=name, pretrained=False)))
    assert [one.coord_map for one in maps] == [CoordMap(2 << i, offset) for i, offset in enumerate(offsets)]
    assert maps[-1].coord_map.end == end and maps[-1].whole_cells is whole_cells


@pytest.mark.parametrize(
    "backbone, message",
    [
        (
            dict(type="UNet", strides=(1, 2, 1, 1, 1)),
            r"adds upsampled maps that lie at \(stride 1, offset -0.5\) to the encoder's at \(stride 1, offset 0\)",
        ),
        (
            dict(type="ResNetV1d", depth=50),
            r"averaged shortcuts of a ResNet lie at \(stride 8, offset 2\), its convolutions at \(stride 8, offset 0\)",
        ),
    ],
)
def test_maps_without_one_position(backbone, message):
    with pytest.raises(UnknownGeometryError, match=message + r".*geometry=\[dict\(stride=.*tools/alignment.py"):
        positions(backbone)


def test_what_is_not_known_has_channels_and_strides_alone():
    class OtherStem(MODELS.get("ResNet")):
        """It may differ from its base."""

    mit = dict(type="MixVisionTransformer", embed_dims=4, num_layers=[1, 1, 1, 1], num_heads=[1, 2, 3, 4])
    for backbone in (dict(BACKBONES["resnet18-v1c"], type=OtherStem), mit):
        maps = read_feature_maps(MODELS.build(backbone))
        assert [(one.coord_map, one.stride) for one in maps] == [(None, stride) for stride in (4, 8, 16, 32)]
    assert [one.channels for one in maps] == [4, 8, 12, 16]
    neck = dict(type="MultiLevelNeck", in_channels=[4, 8, 16, 32], out_channels=5)
    maps = read_feature_maps(MODELS.build(BACKBONES["resnet18-v1c"]), MODELS.build(neck))
    assert [one.coord_map for one in maps] == [None] * 4 and {one.channels for one in maps} == {5}


def test_backbones_that_return_no_maps():
    with pytest.raises(ValueError, match="set gap_before_final_norm=False"):
        positions(dict(type="mmpretrain.ConvNeXt"))
    with pytest.raises(ValueError, match="a classifier of 10 classes.*leave num_classes out"):
        positions(dict(type="mmpretrain.VGG", depth=11, num_classes=10))
