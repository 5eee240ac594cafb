"""How pictures are cut: windows of bounded size at multiples of the stride, whose blocks cover each pixel once."""

import numpy as np
import pytest
import torch

from fcn_plugin.geometry.tiles import blend_weights, overlapping, tiles


@pytest.mark.parametrize("side, margin", [(32, 64), (64, 0), (96, 32)])
def test_blocks_cover_each_pixel_once(side, margin):
    for size in [(1, 5), (160, 161), (223, 97), (300, 64), (129, 257)]:
        covered = np.zeros(size, int)
        for tile in tiles(size, side, margin, 32):
            covered[tile.block] += 1
            for window, block, inside, length in zip(tile.window, tile.block, tile.inside, size):
                assert window.start % 32 == 0 and 0 < window.stop - window.start <= side + 2 * margin
                assert window.stop % 32 == 0 or window.stop == length
                assert window.start in (0, block.start - margin) and window.stop in (length, block.stop + margin)
                assert inside.start + window.start == block.start and inside.stop + window.start == block.stop
        assert (covered == 1).all()


def test_blocks_at_the_border_are_a_margin_larger():
    cut = list(tiles((320, 20), 64, 32, 32))
    assert [(tile.window[0].start, tile.block[0].start) for tile in cut] == [(0, 0), (64, 96), (128, 160), (192, 224)]
    assert {tile.window[0].stop - tile.window[0].start for tile in cut} == {128}  # all fit into one batch


@pytest.mark.parametrize("side, margin", [(48, 32), (64, 16), (0, 32)])
def test_sides_are_multiples_of_the_stride(side, margin):
    with pytest.raises(ValueError, match=f"multiples of the stride 32, got {side} and {margin}"):
        list(tiles((100, 100), side, margin, 32))


def test_overlapping_windows_are_blended_linearly():
    windows = overlapping(200, 96, 32, 32)
    assert [(one.start, one.stop) for one in windows] == [(0, 96), (64, 160), (128, 200)]
    weights = blend_weights(windows, 32)
    assert torch.allclose(weights[0][:64], torch.ones(64)) and weights[0][64:].diff().allclose(torch.tensor(-1 / 32))
    assert weights[2][-40:].eq(1).all()


@pytest.mark.parametrize("length", [1, 96, 97, 130, 255, 400])
def test_weights_add_up_to_1(length):
    windows, total = overlapping(length, 96, 64, 32), torch.zeros(length)
    for one, weight in zip(windows, blend_weights(windows, 64)):
        assert one.start % 32 == 0 and (weight > 0).all()
        total[one] += weight
    assert torch.allclose(total, torch.ones(length))
