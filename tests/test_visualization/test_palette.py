import numpy as np

from fcn_plugin.visualization.palette import blend, paint

PALETTE = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]


def test_paint():
    """What is no class is white, or of the given colour; also beyond what a PNG can hold."""
    colours = paint(np.array([[0, 1], [3, 255]], np.uint8), PALETTE)
    assert colours.dtype == np.uint8
    assert colours.tolist() == [[[0, 0, 0], [128, 0, 0]], [[128, 128, 0], [255, 255, 255]]]
    assert paint(np.array([[4, 300]]), PALETTE, (1, 2, 3)).tolist() == [[[1, 2, 3]] * 2]
    assert paint(np.zeros((0, 2), np.uint8), PALETTE).shape == (0, 2, 3)


def test_blend():
    image, colours = np.full((1, 1, 3), (0, 100, 255), np.uint8), np.full((1, 1, 3), (255, 101, 0), np.uint8)
    assert blend(image, colours, 0.0).tolist() == [[[0, 100, 255]]] and blend(image, colours, 1).dtype == np.uint8
    assert blend(image, colours, 0.6).tolist() == [[[153, 101, 102]]]
