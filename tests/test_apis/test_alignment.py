import pytest
from mmengine.config import Config

from fcn_plugin.apis.alignment import (
    alignment_table,
    build_feature_extractor,
    check_stated,
    geometry_setting,
    remarks,
    stated_maps,
)
from fcn_plugin.geometry.coord_map import CoordMap
from fcn_plugin.geometry.positions import AxisAlignment, Field, Line, MapAlignment

VGG = dict(type="FCNVGG", width=0.02, padding=1)
NECK = dict(type="FCConvNeck", in_channels=10, channels=8, fc6_padding="same")


def aligned(index, stride, offset, longer=None):
    """A map as measured, with a field of 9 x 9 pixels."""
    lines = [Line(4, tuple(float(stride * cell + o) for cell in range(4, 7))) for o in (offset, longer or offset)]
    axis = AxisAlignment("rows", 512, Field(5, 20, 28, float(stride * 5 + offset)), lines[0], lines[0], lines[1])
    return MapAlignment(index, 10 + index, axis, axis)


def config(**model):
    head = dict(type="FCN16sHead", num_classes=2)
    return Config(dict(model={"type": "AlignedEncoderDecoder", "decode_head": head, **model}))


def test_positions_that_a_head_lists():
    """Of a backbone that nothing is known of."""
    mit = dict(type="MixVisionTransformer", embed_dims=4, num_layers=[1, 1, 1, 1], num_heads=[1, 1, 1, 1])
    cfg = config(backbone=mit)
    assert stated_maps(cfg, 4) == {}
    listed = [dict(stride=16, offset=0), dict(stride=32, offset=8)]
    cfg.model.decode_head = dict(type="FCN16sHead", num_classes=2, geometry=listed, in_index=[2, -1])
    assert stated_maps(cfg, 4) == {2: CoordMap(16, 0), 3: CoordMap(32, 8)}
    cfg.model.decode_head.geometry.pop()
    with pytest.raises(ValueError, match="fuses 2 feature map.*geometry="):
        stated_maps(cfg, 4)


def test_positions_that_a_head_has_of_its_feature_extractor():
    cfg = config(backbone=VGG, neck=NECK)
    assert stated_maps(cfg, 3) == {1: CoordMap(16, 7.5), 2: CoordMap(32, 15.5)}
    assert stated_maps(config(backbone=dict(type="ResNetV1d", depth=50)), 4) == {}
    other = dict(type="FCNHead", in_channels=8, channels=2, num_classes=2)
    assert stated_maps(config(backbone=VGG, neck=NECK, decode_head=other), 3) == {}


@pytest.mark.parametrize(
    "model, message",
    [
        (dict(), "the config has no model.backbone"),
        (dict(backbone=dict(type="Missing")), "Missing cannot be built: .*Missing is not in the"),
        (dict(backbone=dict(depth=50)), "None cannot be built: "),
        (dict(backbone=dict(type="FCNVGG", depth=18)), "FCNVGG cannot be built: .*depths .*, got 18"),
        (dict(backbone=VGG, neck=dict(type="FCConvNeck", fc6_padding=-1)), "FCConvNeck cannot be built: .*fc6_padding"),
    ],
)
def test_networks_that_cannot_be_built(model, message):
    with pytest.raises(ValueError, match=message):
        build_feature_extractor(Config(dict(model=model)))


def test_nothing_is_downloaded():
    """Neither by ``init_cfg`` nor by timm, whose networks load their weights when they are built."""
    missing = dict(type="Pretrained", checkpoint="missing.pth")
    assert len(build_feature_extractor(Config(dict(model=dict(backbone=dict(VGG, init_cfg=missing))))).parts) == 1
    timm = dict(type="TIMMBackbone", model_name="resnet18")
    assert build_feature_extractor(Config(dict(model=dict(backbone=timm)))).name == "TIMMBackbone"


def test_setting_is_exact():
    setting = geometry_setting([aligned(0, 8, -95.5), aligned(1, 16, 0.015625 - 100)])
    assert setting == "decode_head.geometry=[dict(stride=8, offset=-95.5), dict(stride=16, offset=-99.984375)]"


def test_table_and_remarks():
    maps = [aligned(0, 8, 0), aligned(2, 16, 7.5, longer=8)]
    rows = [
        [cell.strip() for cell in line.split("|")] for line in alignment_table(maps, {2: CoordMap(16, 0)}).split("\n")
    ]
    assert ["", "0", "10", "8", "0", "9 x 9", "not stated", ""] in rows
    assert ["", "2", "12", "16", "7.5", "9 x 9", "(stride 16, offset 0)", ""] in rows
    first, second = remarks(maps, {"gates", "attention"})
    assert first.startswith(
        "Map 2 is given for images whose sides are multiples of 64; in an image of 513 rows, it has"
    )
    assert second == "Left out, as it has no position: attention, gates; cells see further by it."
    assert remarks(maps[:1], ()) == []


def test_check():
    maps = [aligned(0, 8, 0), aligned(2, 16, 7.5), aligned(3, 32, 0)]
    check_stated(maps, {})
    check_stated(maps, {0: CoordMap(8, 0), 2: CoordMap(16, 7.5), 1: CoordMap(1, 1)})
    with pytest.raises(ValueError) as caught:
        check_stated(maps, {0: CoordMap(8, 0), 2: CoordMap(16, 0), 3: CoordMap(16, 0)})
    assert str(caught.value) == (
        "the config says that map 2 lies at (stride 16, offset 0), measured at (stride 16, offset 7.5); map 3 lies at"
        " (stride 16, offset 0), measured at (stride 32, offset 0): set model.decode_head.geometry="
        "[dict(stride=8, offset=0), dict(stride=16, offset=7.5), dict(stride=32, offset=0)]"
    )
    with pytest.raises(ValueError, match="map 4 has no one position: along the rows, .* no multiple of 1/64"):
        check_stated([*maps, aligned(4, 3, 0.3)], {})
