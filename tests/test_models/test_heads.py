"""Heads that stretch their maps over the image are given none that lie elsewhere, whoever builds and starts them."""

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmseg.models.necks import FPN
from mmseg.registry import MODELS
from testing import plain_modules  # noqa: F401  registers them

from fcn_plugin.checks.model import check_model
from fcn_plugin.geometry import CoordMap, FeatureMap
from fcn_plugin.geometry.feature_map import recorded_maps

CHANNELS = [3, 5, 10, 10]
BACKBONE = dict(type="FCNVGG", depth=11, width=0.02, out_indices=(1, 2, 3, 4))


@MODELS.register_module()
class DerivedFPN(FPN):
    """May differ from FPN in where its maps lie."""


NECKS = {
    "none": None,
    "FPN": dict(type="FPN", in_channels=CHANNELS, out_channels=4, num_outs=4),
    "DerivedFPN": dict(type="DerivedFPN", in_channels=CHANNELS, out_channels=4, num_outs=4),
    "MultiLevelNeck": dict(type="MultiLevelNeck", in_channels=CHANNELS, out_channels=4, scales=[1, 1, 1, 1]),
    "PlainNeckWithValues": dict(type="PlainNeckWithValues", in_channels=CHANNELS),
}
HEADS = {
    "FCNHead": dict(type="FCNHead", in_channels=4, channels=4, in_index=1),
    "FPNHead": dict(
        type="FPNHead", in_channels=[4] * 4, in_index=[0, 1, 2, 3], feature_strides=[4, 8, 16, 32], channels=4
    ),
    "PlainHead": dict(type="PlainHead"),
}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("mmseg")


def config(segmentor: str, neck: str, head: str, padding: int) -> Config:
    head = dict(HEADS[head], num_classes=3)
    if neck == "none":
        head |= dict(FCNHead=dict(in_channels=5), FPNHead=dict(in_channels=CHANNELS)).get(head["type"], {})
    backbone = dict(BACKBONE, padding=padding)
    model = dict(type=segmentor, backbone=backbone, neck=NECKS[neck], decode_head=head, test_cfg=dict(mode="whole"))
    return Config(dict(model=model))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("neck", NECKS)
def test_padded_maps_are_not_stretched(neck, head):
    """97 pixels from where they lie; the toolbox's own segmentor and runner call nothing but the network itself."""
    known = neck in ("none", "FPN")
    what = rf"{head} stretches .*FCNVGG makes one at .*behind {neck} is not known"
    what = rf"{head} stretches map -?\d over the image, but it lies at \(stride \d+, offset -\d+.5\)" if known else what
    what += ".*: set model.backbone.padding=1 .*, or take a skip head"
    with pytest.raises(ValueError, match=what):
        MODELS.build(config("AlignedEncoderDecoder", neck, head, 100).model)
    with pytest.raises(ValueError, match=what):
        check_model(config("EncoderDecoder", neck, head, 100))
    model = MODELS.build(config("EncoderDecoder", neck, head, 100).model)
    for mode in ("tensor", "predict"):  # again at the second time
        with pytest.raises(ValueError, match=what):
            model(torch.zeros(1, 3, 32, 32), mode=mode)


@pytest.mark.parametrize("neck", ["FPN", "DerivedFPN"])
def test_maps_of_the_image(neck):
    for segmentor in ("AlignedEncoderDecoder", "EncoderDecoder"):
        cfg = config(segmentor, neck, "FCNHead", 1)
        check_model(cfg)
        assert MODELS.build(cfg.model).eval()(torch.zeros(1, 3, 32, 32), mode="tensor").shape == (1, 3, 4, 4)


def test_auxiliary_heads_and_a_cascade():
    cfg = config("EncoderDecoder", "none", "FCNHead", 100).model
    cfg.neck = dict(type="FCConvNeck", in_channels=10, channels=4)
    cfg.decode_head = dict(type="FCN32sHead", num_classes=3, in_channels=[4])
    cfg.auxiliary_head = [dict(HEADS["FCNHead"], in_channels=10, in_index=2, num_classes=3)]
    with pytest.raises(ValueError, match=r"^auxiliary_head.0: FCNHead stretches map 2 over the image.*offset -91.5"):
        MODELS.build(cfg)(torch.zeros(1, 3, 32, 32))
    cfg = config("CascadeEncoderDecoder", "none", "FCNHead", 100).model
    cfg.update(num_stages=2, decode_head=[cfg.decode_head] * 2)
    with pytest.raises(ValueError, match=r"^decode_head.0: FCNHead stretches map 1 over the image"):
        MODELS.build(cfg)(torch.zeros(1, 3, 32, 32))


def test_map_of_a_valid_fc6_without_padding():
    """It begins a hundred pixels inside of the image."""
    cfg = ConfigDict(config("AlignedEncoderDecoder", "none", "FCNHead", 0).model)
    cfg.neck = dict(type="FCConvNeck", in_channels=10, channels=4)
    cfg.decode_head.update(in_index=3, in_channels=4)
    with pytest.raises(ValueError, match=r"stretches map 3 .* \(stride 32, offset 1\d\d.5\).*fc6_padding='same'"):
        MODELS.build(cfg)


def test_a_backbone_by_itself_and_a_head_that_reads_positions():
    backbone = MODELS.build(BACKBONE)
    assert len(backbone(torch.zeros(1, 3, 32, 32))) == 4
    model = MODELS.build(config("EncoderDecoder", "none", "PlainHead", 100).model)
    model.decode_head.feature_maps = backbone.feature_maps  # as of a head of one's own, which crops
    assert len(model.extract_feat(torch.zeros(1, 3, 32, 32))) == 4


@pytest.mark.parametrize("offsets", [(0, 0, 0, 0), (-97.5, -95.5, -91.5, 0)])
def test_declared_positions_are_about_where_the_maps_lie(offsets):
    """Behind a neck that is not known; a map of the whole padded image is not centred on the image by offset 0."""
    cfg = config("AlignedEncoderDecoder", "DerivedFPN", "FCNHead", 100).model
    head = dict(type="FCNSkipHead", num_classes=3)
    right = [dict(stride=s, offset=o) for s, o in zip((4, 8, 16, 32), (-97.5, -95.5, -91.5, -83.5))]
    model = MODELS.build(dict(cfg, decode_head=dict(head, geometry=right)))
    assert model.eval()(torch.zeros(1, 3, 45, 70), mode="tensor").shape == (1, 3, 45, 70)
    wrong = [dict(one, offset=offset) for one, offset in zip(right, offsets)]
    with pytest.raises(
        ValueError, match=r"offset 0\), which puts a map \d+(.5)? pixels off the image's middle.*measur"
    ):
        MODELS.build(dict(cfg, decode_head=dict(head, geometry=wrong)))


def test_recorded_maps():
    one = FeatureMap(3, CoordMap(2, 0))
    module = torch.nn.Identity()
    for value, expected in ((None, None), ([4, 8], None), ([], None), ([one], (one,))):
        module.feature_maps = value
        assert recorded_maps(module) == expected
    module.feature_maps = [CoordMap(2, 0)]
    with pytest.raises(
        ValueError, match=r"Identity.feature_maps must list a FeatureMap\(channels, coord_map\) for each"
    ):
        recorded_maps(module)
