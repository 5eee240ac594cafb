from dataclasses import replace

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.models.utils import PatchEmbed
from mmseg.registry import MODELS
from testing.narrow_backbones import BACKBONES
from torch import nn

from fcn_plugin.geometry import CoordMap, read_feature_maps
from fcn_plugin.geometry.linear_feature_extractor import LinearFeatureExtractor
from fcn_plugin.geometry.measurement import measure_alignment
from fcn_plugin.geometry.positions import AxisAlignment, Field, Line, MapAlignment


def build(backbone, neck=None):
    """The feature extractor of configs."""
    init_default_scope("mmseg")
    return [cfg and MODELS.build(cfg) for cfg in (backbone, neck)]


def measure(backbone, neck=None, indices=None):
    return measure_alignment(LinearFeatureExtractor(*build(backbone, neck)), indices)


def assert_measures(backbone, positions, fields, neck=None):
    """Positions as (stride, offset); fields are square."""
    measured = measure(backbone, neck)
    assert [m.problem for m in measured] == [""] * len(positions)
    assert [m.coord_map for m in measured] == [CoordMap(*position) for position in positions]
    assert [m.field for m in measured] == [(size, size) for size in fields]
    assert [m.index for m in measured] == list(range(len(positions)))
    return measured


def field(*layers):
    """Receptive field behind layers, (kernel, stride) or (kernel, stride, dilation) each, by hand."""
    size, stride = 1, 1
    for kernel, step, *dilation in layers:
        size += (kernel - 1) * stride * (dilation[0] if dilation else 1)
        stride *= step
    return size


class Layers(nn.Sequential):
    """A backbone of given layers, which returns its last map alone."""

    def __init__(self, layers):
        super().__init__(*layers)


def layers(*modules):
    return dict(type=Layers, layers=modules)


@pytest.mark.parametrize(
    "padding, fc6", [(100, dict()), (0, dict(fc6_padding="same")), (1, dict(fc6_kernel=3, fc6_padding=1))]
)
def test_backbone_and_neck_lie_where_their_geometry_is_derived(padding, fc6):
    neck = dict(type="FCConvNeck", in_channels=10, channels=4, **fc6)
    backbone = dict(type="FCNVGG", width=0.02, padding=padding, norm_cfg=dict(type="BN") if fc6 else None)
    fc7 = 212 + 32 * (fc6.get("fc6_kernel", 7) - 1)  # pool5 sees 212 pixels
    positions = [(m.coord_map.stride, m.coord_map.offset) for m in read_feature_maps(*build(backbone, neck))]
    measured = assert_measures(backbone, positions, [44, 100, fc7], neck)
    assert [m.note for m in measured] == ["", "", ""]
    assert [m.channels for m in measured] == [5, 10, 4]


def groups(strides, blocks):
    """Layers of each stage, of which the first ones have the strides."""
    return [[(3, step)] + [(3, 1)] * (n - 1) for step, n in zip(strides, blocks)]


def fields(stem, stages, returned=None):
    """Receptive fields behind stages, by hand."""
    return [field(*stem, *sum(stages[: i + 1], [])) for i in returned or range(len(stages))]


RESNET = dict(type="ResNet", depth=50, base_channels=1, stem_channels=2)
RESNET_STEM, DILATED = [(7, 2), (3, 2)], dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
SWIN = dict(type="SwinTransformer", embed_dims=2, depths=(2, 1, 1, 1), num_heads=(1, 1, 1, 1))
CONVNEXT = dict(type="mmpretrain.ConvNeXt", arch=dict(depths=[1, 2, 1, 1], channels=[2, 4, 6, 8]),
                out_indices=(0, 1, 2, 3), gap_before_final_norm=False)  # fmt: skip
CONVNEXT_FIELDS = fields([], [[(4, 4), (7, 1)], [(2, 2), (7, 1), (7, 1)], [(2, 2), (7, 1)], [(2, 2), (7, 1)]])
#: A patch of s pixels is centred on their middle; every kernel of the others on the first pixel of its stride.
PATCHES = [(4, 1.5), (8, 3.5), (16, 7.5), (32, 15.5)]
FIRST_PIXELS = [(4, 0), (8, 0), (16, 0), (32, 0)]


@pytest.mark.parametrize(
    "backbone, positions, sizes",
    [
        # conv1_1 moves by 1 - padding, the poolings by (1 + 2 + 4 + 8 + 16) / 2
        (dict(type="FCNVGG", width=0.02, padding=1, out_indices=(4,)), [(32, 15.5)], [212]),
        (dict(type="FCNVGG", width=0.02, padding=100, out_indices=(4,)), [(32, -83.5)], [212]),
        (RESNET, FIRST_PIXELS, fields(RESNET_STEM, groups([1, 2, 2, 2], [3, 4, 6, 3]))),
        (
            dict(RESNET, **DILATED),
            [(4, 0), (8, 0), (8, 0), (8, 0)],
            fields(RESNET_STEM, [*groups([1, 2], [3, 4]), [(3, 1, 2)] * 6, [(3, 1, 4)] * 3]),
        ),
        (
            dict(type="MobileNetV2", widen_factor=0.1),
            FIRST_PIXELS,
            fields([(3, 2)], groups([1, 2, 2, 2, 1, 2, 1], [1, 2, 3, 4, 3, 3, 1]), [1, 2, 4, 6]),
        ),
        (SWIN, PATCHES, [4, 8, 16, 32]),
        (CONVNEXT, PATCHES, CONVNEXT_FIELDS),
        (dict(CONVNEXT, layer_scale_init_value=0.0, use_grn=True), PATCHES, CONVNEXT_FIELDS),
    ],
)
def test_by_hand(backbone, positions, sizes):
    assert_measures(backbone, positions, sizes)


def test_resnet_with_averaged_shortcuts_has_no_one_position():
    first, *others = measure(dict(RESNET, type="ResNetV1d", depth=18))
    assert first.coord_map == CoordMap(4, 0) and len(others) == 3
    for m in others:
        assert m.coord_map is None and "adds paths that lie on different pixels" in m.problem


def test_unet_by_hand():
    """Its decoder interpolates to the middle between the cells, which is where the pooling was."""
    measured = measure(dict(type="UNet", base_channels=2))
    assert [m.coord_map for m in measured] == [CoordMap(*p) for p in [(16, 7.5), (8, 3.5), (4, 1.5), (2, 0.5), (1, 0)]]
    encoder = [(3, 1), (3, 1), (2, 2)] * 4 + [(3, 1), (3, 1)]
    assert measured[0].field == (field(*encoder),) * 2
    assert [m.rows.longer for m in measured] == [None] * 5  # it takes multiples of 16 alone


def test_what_is_left_out():
    extractor = LinearFeatureExtractor(*build(SWIN))
    measure_alignment(extractor)
    assert extractor.left_out == {"attention"} and extractor.num_maps == 4


def test_hrnet_has_no_one_position():
    measured = measure(BACKBONES["hrnet"])
    assert len(measured) == 4
    assert all("different pixels" in m.problem for m in measured)


def test_pyramid_of_maps_in_the_middle_of_their_pixels():
    """A FPN interpolates as if cells were in the middle of their pixels: patches are, but sizes must go up evenly."""
    neck = dict(type="FPN", in_channels=[2, 4, 8, 16], out_channels=2, num_outs=4)
    measured = measure(SWIN, neck)
    assert [m.coord_map for m in measured] == [CoordMap(*position) for position in PATCHES]
    assert measured[0].note.startswith("in an image of 513 rows, it has stride 4.1")
    assert [bool(m.note) for m in measured] == [True, True, True, False]
    *finer, coarsest = measure(dict(RESNET, depth=18), dict(neck, in_channels=[1, 2, 4, 8]))
    assert coarsest.coord_map == CoordMap(32, 0) and len(finer) == 3
    assert all("different pixels" in m.problem for m in finer)


def test_padding_that_follows_the_size_is_noted():
    """TensorFlow's padding puts one more pixel at the end of an even image than at its start."""
    (m,) = measure(dict(type=Patches, kernel_size=3, stride=2, padding="same"))
    assert m.coord_map == CoordMap(2, 1) and m.field == (3, 3)
    assert m.note == "in an image of 513 rows, it has stride 2, offset 0"


class Patches(nn.Module):
    """A patch embedding that returns its map."""

    def __init__(self, **kwargs):
        super().__init__()
        self.embed = PatchEmbed(embed_dims=2, **kwargs)

    def forward(self, x):
        x, (height, width) = self.embed(x)
        return x.transpose(1, 2).view(len(x), -1, height, width)


def test_network_of_one_size():
    backbone = dict(type="MAE", img_size=224, patch_size=16, embed_dims=4, num_layers=1, num_heads=1)
    (m,) = assert_measures(backbone, [(16, 7.5)], [16])
    assert m.rows.length == 224


def test_map_alone_of_an_image_of_other_channels():
    (m,) = assert_measures(layers(nn.Conv2d(5, 2, 4, 2, 1)), [(2, 0.5)], [4])
    assert m.channels == 2


def test_offset_to_fractions_of_a_pixel():
    """Upsampled by 2, cell 0 lies at 1/4 - 1/2, which is a multiple of 1/64; by 3, at 1/6 - 1/2, which is none."""
    up2, up3 = (nn.Upsample(scale_factor=f, mode="bilinear") for f in (2, 3))
    (m,) = measure(layers(up2))
    assert m.coord_map == CoordMap(0.5, -0.25)
    (m,) = measure(layers(up3))
    assert m.problem == "along the rows, it has stride 0.33333, offset -0.33333, which is no multiple of 1/64 pixel"


def test_axes_that_differ():
    (m,) = measure(layers(nn.Conv2d(3, 1, (3, 5), stride=2, padding=1)))
    assert m.field == (3, 5)
    assert m.problem == "it has stride 2, offset 0 along the rows, but stride 2, offset 1 along the columns"
    (m,) = measure(layers(nn.Conv2d(3, 1, 4, stride=(2, 4))))
    assert m.problem == "it has stride 2, offset 1.5 along the rows, but stride 4, offset 1.5 along the columns"


class Context(nn.Module):
    """Adds the mean of the whole map."""

    def forward(self, x):
        return x + x.mean((2, 3), keepdim=True)


class Uneven(nn.Module):
    """Moves every fourth cell by one."""

    def forward(self, x):
        return torch.where(torch.arange(x.shape[2])[:, None] % 4 == 0, x.roll(1, 2), x)


class Nonlinear(nn.Module):
    """The larger of two cells, by a function that has no copy."""

    def forward(self, x):
        return torch.maximum(x[:, :, 1:], x[:, :, :-1])


class Blind(nn.Module):
    """Returns a map that does not depend on the image."""

    def forward(self, x):
        return x, torch.ones_like(x[:, :, ::2, ::2], requires_grad=False)


@pytest.mark.parametrize(
    "module, problem",
    [
        (Context(), "a cell sees 8192 of the 8192 rows of the largest image measured"),
        (Uneven(), "neighbouring cells are centred on the rows 247, 249, 250, 251, 251, 253, 254, 255, 255, 257, "),
        (Nonlinear(), "along the rows, it has stride 1, offset 1, but a gradient there centred elsewhere"),
    ],
)
def test_networks_without_positions(module, problem):
    (m,) = measure(layers(module))
    assert m.problem.startswith(problem)
    assert m.coord_map is None and m.note == ""


def test_map_that_sees_nothing():
    seeing, blind = measure(layers(Blind()))
    assert seeing.coord_map == CoordMap(1, 0)
    assert blind.problem == "its cells see no pixel by any path that can be followed" and blind.note == ""


@pytest.mark.parametrize("indices, expected", [([2, 0], [0, 2]), ([-1], [3]), ([1, -3], [1])])
def test_chosen_maps(indices, expected):
    measured = measure(dict(RESNET, depth=18), indices=indices)
    assert [m.index for m in measured] == expected
    assert [m.coord_map.stride for m in measured] == [2 ** (2 + i) for i in expected]


@pytest.mark.parametrize("index", [4, -5])
def test_map_that_is_not_there(index):
    with pytest.raises(ValueError, match=f"no feature map {index}: ResNet returns 4, 0 to 3"):
        measure(dict(RESNET, depth=18), indices=[0, index])


def test_measuring_does_not_take_a_lucky_guess():
    """What two of three measurements agree on is no position."""
    line = Line(10, tuple(8.0 * cell + 3.5 for cell in range(10, 20)))
    other = Line(10, tuple(8.0 * cell + 3.6 for cell in range(10, 20)))
    axis = AxisAlignment("rows", 512, Field(15, 100, 140, 123.5), line, line, line)
    whole = MapAlignment(0, 1, axis, axis)
    assert whole.coord_map == CoordMap(8, 3.5) and whole.field == (41, 41)
    for broken in (
        replace(axis, reweighted=other),
        replace(axis, field=Field(15, 100, 140, 123.6)),
        replace(axis, line=other, reweighted=other, field=Field(15, 100, 140, 123.6)),
        replace(axis, line=None),
    ):
        for m in (replace(whole, rows=broken), replace(whole, columns=broken)):
            assert m.coord_map is None and m.problem
