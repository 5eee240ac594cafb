import pytest
import torch
import torch.nn.functional as F

from fcn_plugin.geometry.coord_map import IMAGE, CoordMap
from fcn_plugin.paper.shift_and_stitch import shift_and_stitch


def test_by_hand():
    """A max pooling of 2x2 pixels, on an image of two rows, 3 1 2 and 0 5 4."""
    image = torch.tensor([[[[3.0, 1, 2], [0, 5, 4]]]])
    scores, where = shift_and_stitch(lambda x: F.max_pool2d(x, 2, ceil_mode=True), image, CoordMap(2, 0.5))
    # moved by (down, right): (0, 0) gives 5 4; (0, 1) gives 3 5; (1, 0) gives 3 2 and 5 4; (1, 1) gives 3 2 and 0 5
    assert scores[0, 0].tolist() == [[3, 3, 2, 2], [3, 5, 5, 4], [0, 5, 5, 4]]
    assert where == CoordMap(1, -0.5)


def test_a_network_that_takes_every_third_pixel_gives_the_image():
    image = torch.arange(1.0, 36).reshape(1, 1, 5, 7)
    scores, where = shift_and_stitch(lambda x: x[:, :, ::3, ::3], image, CoordMap(3, 0))
    assert torch.equal(scores, F.pad(image, (2, 0, 2, 0))) and where == CoordMap(1, -2)


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 6, 12])
@pytest.mark.parametrize("size", [(24, 24), (25, 31), (35, 47)])
def test_every_divisor(stride, size):
    """Positions, seen in an image whose values say where they are."""
    rows, columns = torch.meshgrid(*(torch.arange(float(n)) for n in size), indexing="ij")
    image = torch.stack([rows, columns])[None] + 1
    # the last pixel of each window of 12, at 11, 23, ...
    scores, where = shift_and_stitch(lambda x: x[:, :, 11::12, 11::12], image, IMAGE.conv(1, 12, -11), stride)
    assert where == CoordMap(stride, 11 - (12 - stride))
    for channel, length, axis in ((0, size[0], 2), (1, size[1], 3)):
        positions = [where.pixel(cell) for cell in range(scores.shape[axis])]
        assert len(positions) == length // stride and positions[0] == stride - 1
        found = scores[0, channel].amax(1 - channel)
        assert found.tolist() == [p + 1 for p in positions]


def test_the_networks_own_scores_are_among_them():
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(3, 5, 7, stride=6, padding=2).requires_grad_(False)
    coord_map = IMAGE.conv(7, 6, 2)
    image = torch.randn(2, 3, 40, 51)
    for stride in (1, 2, 3, 6):
        scores, where = shift_and_stitch(conv, image, coord_map, stride)
        first, step = (coord_map.offset - where.offset) / where.stride, 6 // stride
        assert first == step - 1
        assert torch.equal(scores[:, :, step - 1 :: step, step - 1 :: step], conv(image))
    # all others are those of the convolution without its stride
    conv.stride, conv.padding = (1, 1), (0, 0)
    scores, where = shift_and_stitch(torch.nn.Sequential(conv, torch.nn.MaxPool2d(1, 6)), image, IMAGE.conv(7, 6))
    torch.testing.assert_close(scores, conv(F.pad(image, (5, 0, 5, 0))))


@pytest.mark.parametrize("stride", [0, -1, 3, 16, 1.5, None])
def test_strides_that_are_no_divisors(stride):
    with pytest.raises(ValueError, match=f"must be a divisor of the network's 8: got {stride}"):
        shift_and_stitch(lambda x: x, torch.zeros(1, 1, 8, 8), CoordMap(8, 0), stride)


def test_a_network_that_does_not_grow_with_the_image():
    with pytest.raises(ValueError, match="do not grow with the image"):
        shift_and_stitch(
            lambda x: F.adaptive_avg_pool2d(x, x.shape[-1] % 3 + 1), torch.zeros(1, 1, 8, 8), CoordMap(4, 0)
        )
