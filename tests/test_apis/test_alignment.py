import pytest

from fcn_plugin.apis.alignment import alignment_table, check_stated, geometry_setting, remarks, stated_maps, used_maps
from fcn_plugin.geometry.coord_map import CoordMap
from fcn_plugin.geometry.positions import AxisAlignment, Field, Line, MapAlignment

VGG = dict(type="FCNVGG", width=0.02, padding=1)
NECK = dict(type="FCConvNeck", fc6_padding="same")
TOLD = [dict(stride=8, offset=0), dict(stride=16, offset=3.5)]


def aligned(index, stride, offset, longer=None):
    """A map as measured, with a field of 9 x 9 pixels."""
    lines = [Line(4, tuple(float(stride * cell + o) for cell in range(4, 7))) for o in (offset, longer or offset)]
    axis = AxisAlignment("rows", 512, Field(5, 20, 28, float(stride * 5 + offset)), lines[0], lines[0], lines[1])
    return MapAlignment(index, 10 + index, axis, axis)


def head(**options):
    return dict(type="FCN16sHead", in_channels=[2, 4], num_classes=2, **options)


def test_used_maps():
    assert used_maps(dict(decode_head=head()), 3) == [1, 2]
    assert used_maps(dict(decode_head=head(in_index=[0, -1])), 4) == [0, 3]
    for other in (dict(type="FCNHead", in_channels=4), [head(), head()], None, dict(type="NoSuchHead")):
        assert used_maps(dict(decode_head=other), 3) == []
    for in_index in ([0, 3], [-4, 0]):
        with pytest.raises(ValueError, match=rf"decode_head uses map {in_index[0] or 3}, but there are 3: 0 to 2"):
            used_maps(dict(decode_head=head(in_index=in_index)), 3)


def test_positions_that_a_head_lists():
    stated = stated_maps(dict(backbone=VGG, decode_head=head(geometry=TOLD, in_index=[2, -1])), 4)
    assert stated == {2: CoordMap(8, 0), 3: CoordMap(16, 3.5)}
    with pytest.raises(ValueError, match="geometry lists 1 map"):
        stated_maps(dict(decode_head=head(geometry=TOLD[:1])), 3)


def test_positions_that_a_head_has_of_its_trunk():
    """The settings that the head has count, not those of the trunk."""
    geometry = dict(backbone=dict(VGG, padding=0), neck=NECK)
    stated = stated_maps(dict(backbone=VGG, neck=NECK, decode_head=head(geometry=geometry)), 3)
    assert stated == {1: CoordMap(16, 8.5), 2: CoordMap(32, 16.5)}


def test_positions_that_a_segmentor_derives():
    model = dict(type="AlignedEncoderDecoder", backbone=VGG, neck=NECK, decode_head=head())
    assert stated_maps(model, 3) == {1: CoordMap(16, 7.5), 2: CoordMap(32, 15.5)}
    assert stated_maps(dict(model, type="EncoderDecoder"), 3) == {}
    assert stated_maps(dict(model, backbone=dict(type="ResNetV1d", depth=50)), 3) == {}
    assert stated_maps(dict(model, decode_head=dict(type="FCNHead")), 3) == {}


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
