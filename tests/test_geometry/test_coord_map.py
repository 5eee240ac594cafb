from fractions import Fraction

import pytest

from fcn_plugin.geometry.coord_map import IMAGE, CoordMap
from fcn_plugin.geometry.skip_steps import bilinear_step, skip_steps, upsample_step
from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.models.necks import FCConvNeck


def trunk_maps(padding=100, **neck):
    return FCConvNeck.coord_maps(FCNVGG.coord_maps(padding=padding), **neck)


def test_maps_of_the_reference_trunk():
    pool3, pool4, fc7 = trunk_maps()
    assert (pool3.stride, pool3.offset) == (8, Fraction(-191, 2))
    assert (pool4.stride, pool4.offset) == (16, Fraction(-183, 2))
    assert (fc7.stride, fc7.offset) == (32, Fraction(25, 2))


@pytest.mark.parametrize(
    "used, skip_crops, image_crop, kernels",
    [(1, [], 19, [64]), (2, [5], 27, [4, 32]), (3, [5, 9], 31, [4, 4, 16])],
    ids=["FCN-32s", "FCN-16s", "FCN-8s"],
)
def test_crops_equal_the_reference(used, skip_crops, image_crop, kernels):
    steps = skip_steps(trunk_maps()[-used:])
    assert [step.crop_target for step in steps] == [*skip_crops, 0]
    assert [step.crop_upsampled for step in steps] == [0] * len(skip_crops) + [image_crop]
    assert [step.kernel for step in steps] == kernels
    assert steps[-1].result == IMAGE


def test_conv_and_deconv_are_inverse():
    start = CoordMap(4, Fraction(3, 2))
    assert start.conv(6, stride=2, padding=1).deconv(6, 2, padding=1) == start
    assert IMAGE.conv(3, padding=1, dilation=2) == CoordMap(1, 1)


def test_small_padding_crops_the_upsampled_map():
    steps = skip_steps(trunk_maps(padding=1, fc6_padding="same"))
    assert [(step.crop_upsampled, step.crop_target) for step in steps] == [(1, 0), (1, 0), (4, 0)]


@pytest.mark.parametrize("padding, reaches", [(81, True), (80, False)])
def test_least_padding_of_a_valid_fc6(padding, reaches):
    # 19 pixels are cropped at padding 100, so 81 is the least that reaches the image
    if reaches:
        assert skip_steps(trunk_maps(padding)[-1:])[-1].crop_upsampled == 0
    else:
        with pytest.raises(ValueError, match=r"does not reach the first 1 pixel\(s\).*at least 1 more"):
            skip_steps(trunk_maps(padding)[-1:])


def test_resnet_offsets_take_odd_kernels():
    steps = skip_steps([CoordMap(8, 0), CoordMap(16, 0), CoordMap(32, 0)])
    assert [step.kernel for step in steps] == [3, 3, 15]
    assert [step.crop_upsampled for step in steps] == [1, 1, 7]


def test_alexnet_takes_the_reference_kernel_63():
    # conv1 11/4 pad 100, pool 3/2 (offset 0.. as in voc-fcn-alexnet): stride 32, integer offset
    fc7 = IMAGE.conv(11, 4, 100).conv(3, 2).conv(5, padding=2).conv(3, 2)
    fc7 = fc7.conv(3, padding=1).conv(3, padding=1).conv(3, padding=1).conv(3, 2).conv(6)
    step = upsample_step(fc7, IMAGE)
    assert (step.kernel, step.crop_upsampled) == (63, 18)


@pytest.mark.parametrize(
    "maps, message",
    [
        ([], "at least one feature map"),
        ([CoordMap(32, 0), CoordMap(16, 0)], "from fine to coarse"),
        ([CoordMap(16, 0), CoordMap(16, 0)], "factor of 2 or more"),
        ([CoordMap(12, 0), CoordMap(32, 0)], "integer factor"),
        ([CoordMap(16, Fraction(1, 3)), CoordMap(32, 0)], "no bilinear kernel aligns"),
    ],
)
def test_maps_that_cannot_be_fused(maps, message):
    with pytest.raises(ValueError, match=message):
        skip_steps(maps)


def test_wrong_strides():
    with pytest.raises(ValueError, match="positive stride, got 0"):
        CoordMap(0, 0)
    with pytest.raises(ValueError, match="different strides"):
        CoordMap(8, 0).cells_before(CoordMap(16, 0))


def test_receptive_fields():
    """VGG16's is the 404 pixels of the paper's table 1, whatever the padding."""
    assert [m.size for m in trunk_maps()] == [44, 100, 404] == [m.size for m in trunk_maps(1, fc6_padding="same")]
    assert IMAGE.conv(3).conv(2, 2).conv(3, dilation=2).size == 1 + 2 + 1 + 2 * 4
    # a transposed convolution of kernel 2s sees two cells at most, one of kernel s or less one
    score = IMAGE.conv(5, 4)
    assert [score.deconv(kernel, 4).size for kernel in (1, 4, 5, 7, 8, 9)] == [5, 5, 9, 9, 9, 13]


def test_maps_are_equal_without_their_receptive_fields():
    """Declared by stride and offset alone, a map is the same as when it is computed."""
    *_, fc7 = trunk_maps()
    told = CoordMap(32, Fraction(25, 2))
    assert told == fc7 and hash(told) == hash(fc7) and (told.size, fc7.size) == (1, 404)


@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize("size", [1, 4, 7, 8, 15])
def test_cells_inside(padding, size):
    """Against a count of the pixels that each cell sees."""
    coord_map = IMAGE.conv(3, 1, padding).conv(4, 2, 1)
    inside = []
    for cell in range(20):
        seen = [2 * cell - 1 + i - padding + j for i in range(4) for j in range(3)]
        if min(seen) >= -padding and max(seen) < size + padding:
            inside.append(cell)
    assert list(coord_map.cells_inside(size, padding)) == inside


@pytest.mark.parametrize(
    "offset, kernel, crop, missing", [(0, 1, 0, 0), (-3, 1, 3, 0), (2, 1, 0, 2), (Fraction(-7, 2), 2, 4, 0)]
)
def test_bilinear_step_between_maps_of_one_stride(offset, kernel, crop, missing):
    step = bilinear_step(CoordMap(1, offset), IMAGE)
    assert (step.factor, step.kernel, step.crop_upsampled, step.crop_target) == (1, kernel, crop, missing)
    with pytest.raises(ValueError, match="factor of 2 or more"):
        upsample_step(CoordMap(1, offset), IMAGE)
