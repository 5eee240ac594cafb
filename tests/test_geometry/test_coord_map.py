from fractions import Fraction

import pytest

from fcn_plugin.geometry import IMAGE, CoordMap, read_feature_maps, skip_steps, upsample_step
from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.models.necks import FCConvNeck


def maps_of_vgg(padding=100, **neck):
    maps = read_feature_maps(FCNVGG(width=0.05, padding=padding), FCConvNeck(26, 2, **neck))
    return tuple(one.coord_map for one in maps)


def test_maps_of_the_reference_feature_extractor():
    """Declared by stride and offset alone, a map is the same as when it is computed with its receptive field."""
    places = [(8, -95.5), (16, -91.5), (32, 12.5)]
    declared = [CoordMap(*place) for place in places]
    for padding, sizes in ((dict(), [44, 100, 404]), (dict(padding=1, fc6_padding="same"), [44, 100, 404])):
        assert [one.size for one in maps_of_vgg(**padding)] == sizes
    maps = maps_of_vgg()
    assert list(maps) == declared and [hash(one) for one in maps] == [hash(one) for one in declared]
    assert (declared[2].size, declared[2].end) == (1, None)
    assert maps[2].end == Fraction(-25, 2)  # as far from the image's end as from its start


#: conv1 to pool5 of the reference's AlexNet, and its fc6.
ALEXNET = IMAGE.conv(11, 4, 100).conv(3, 2).conv(5, padding=2).conv(3, 2)
ALEXNET = ALEXNET.conv(3, padding=1).conv(3, padding=1).conv(3, padding=1).conv(3, 2).conv(6)


@pytest.mark.parametrize(
    "maps, kernels, crops_upsampled, crops_target",
    [
        (lambda: maps_of_vgg()[-1:], [64], [19], [0]),  # as the reference's FCN-32s, FCN-16s and FCN-8s
        (lambda: maps_of_vgg()[-2:], [4, 32], [0, 27], [5, 0]),
        (lambda: maps_of_vgg(), [4, 4, 16], [0, 0, 31], [5, 9, 0]),
        (lambda: maps_of_vgg(padding=1, fc6_padding="same"), [4, 4, 16], [1, 1, 4], [0, 0, 0]),
        (lambda: maps_of_vgg(padding=81)[-1:], [64], [0], [0]),  # 19 less, the least that reaches the image
        (lambda: [ALEXNET], [63], [18], [0]),  # FCN-AlexNet
        (lambda: [CoordMap(8, 0), CoordMap(16, 0), CoordMap(32, 0)], [3, 3, 15], [1, 1, 7], [0, 0, 0]),  # a ResNet
        (lambda: [CoordMap(8, 0)] * 3, [1, 1, 15], [0, 0, 7], [0, 0, 0]),  # dilated: only the last step computes
    ],
)
def test_kernels_and_crops(maps, kernels, crops_upsampled, crops_target):
    steps = skip_steps(maps())
    assert [step.kernel for step in steps] == kernels
    assert [step.crop_upsampled for step in steps] == crops_upsampled
    assert [step.crop_target for step in steps] == crops_target
    assert [step.changes_nothing for step in steps] == [kernel == 1 for kernel in kernels]
    assert steps[-1].result == IMAGE


def test_too_little_padding_for_a_valid_fc6():
    with pytest.raises(ValueError, match=r"does not reach the first 1 pixel\(s\).*at least 1 more"):
        skip_steps(maps_of_vgg(padding=80)[-1:])


def test_conv_and_deconv_are_inverse():
    start = CoordMap(4, Fraction(3, 2))
    assert start.conv(6, stride=2, padding=1).deconv(6, 2, padding=1) == start
    assert IMAGE.conv(3, padding=1, dilation=2) == CoordMap(1, 1)


@pytest.mark.parametrize(
    "maps, message",
    [
        ([], "at least one feature map"),
        ([CoordMap(32, 0), CoordMap(16, 0)], "from fine to coarse"),
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
    assert IMAGE.conv(3).conv(2, 2).conv(3, dilation=2).size == 1 + 2 + 1 + 2 * 4
    # a transposed convolution of kernel 2s sees two cells at most, one of kernel s or less one
    score = IMAGE.conv(5, 4)
    assert [score.deconv(kernel, 4).size for kernel in (1, 4, 5, 7, 8, 9)] == [5, 5, 9, 9, 9, 13]


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
def test_upsample_step_between_maps_of_one_stride(offset, kernel, crop, missing):
    step = upsample_step(CoordMap(1, offset), IMAGE)
    assert (step.factor, step.kernel, step.crop_upsampled, step.crop_target) == (1, kernel, crop, missing)
    assert step.changes_nothing == (kernel == 1)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("kernel, stride, padding, dilation", [(3, 2, 1, 1), (2, 2, 0, 1), (11, 4, 5, 1), (3, 3, 2, 2)])
def test_end_is_that_of_the_worst_size(kernel, stride, padding, dilation, ceil_mode):
    """Against the windows that fit, of two such layers."""
    layer = (kernel, stride, padding, dilation)
    at, ends = IMAGE.conv(*layer, ceil_mode=ceil_mode).conv(*layer, ceil_mode=ceil_mode), []
    for size in range(60, 60 + stride**2):
        cells = size
        for _ in range(2):
            room = cells + 2 * padding - dilation * (kernel - 1) - 1
            cells = (-(-room // stride) if ceil_mode else room // stride) + 1
        ends.append(at.pixel(cells - 1) - (size - 1))
    assert min(ends) == at.end


def test_ends_inside():
    """A stride of 4 leaves up to 3 pixels behind the last centre, of which the last cell has 1.5 on that side."""
    assert IMAGE.conv(7, 2, 3).conv(3, 2, 1).ends_inside
    assert not IMAGE.conv(2, 2, ceil_mode=True).conv(2, 2, ceil_mode=True).ends_inside
    assert not IMAGE.conv(7, 4, 100).ends_inside and not CoordMap(32, 0).ends_inside
    assert IMAGE.conv(4, 4).ends_unseen and not IMAGE.conv(4, 4, ceil_mode=True).ends_unseen
    assert not IMAGE.conv(7, 2, 3).conv(3, 2, 1).ends_unseen and not CoordMap(32, 0).ends_unseen
