import numpy as np
import pytest
from mmseg.models.backbones import ResNetV1d
from PIL import Image
from torch import nn

from fcn_plugin.geometry.linear_feature_extractor import LinearFeatureExtractor
from fcn_plugin.geometry.measurement import measure_alignment
from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.visualization.receptive_fields import draw_fields, grey_grid, middle_of


@pytest.fixture(scope="module")
def extractor():
    """Cells see 41 x 41 pixels around 16 * i + 8, and every pixel alike."""
    return LinearFeatureExtractor(nn.Conv2d(3, 1, 41, stride=16, padding=12))


def span(mask, axis):
    """First and last row or column of a picture in which a mask holds."""
    found = np.flatnonzero(mask.any(axis))
    return found[0], found[-1] + 1


def test_rectangle_lies_around_the_field(extractor, tmp_path):
    blue = np.zeros((128, 192, 3), np.uint8)
    blue[..., 2] = 200
    (box,) = draw_fields(tmp_path / "fields.png", extractor, measure_alignment(extractor), blue)
    # the middle is row 63.5, between cells 3 (56) and 4 (72), and column 95.5, between 5 (88) and 6 (104)
    row, column = (box[1] + box[3]) / 2, (box[0] + box[2]) / 2
    assert row in (56, 72) and column in (88, 104)
    assert box == (column - 20.5, row - 20.5, column + 20.5, row + 20.5)

    assert [file.name for file in tmp_path.iterdir()] == ["fields.png"]
    picture = np.array(Image.open(tmp_path / "fields.png").convert("RGB")).astype(int)
    image = (abs(picture - (0, 0, 200)) < 30).all(2)
    (left, right), (top, bottom) = span(image, 0), span(image, 1)
    picture = picture[top:bottom, left:right]  # without the legend, which has the same colours
    line, heat = (abs(picture - colour).max(2) < 60 for colour in ((0, 255, 255), (204, 0, 40)))
    for axis, (first, last, pixels) in enumerate([(box[0], box[2], 192), (box[1], box[3], 128)]):
        scale = picture.shape[1 - axis] / pixels
        for found in (span(line, axis), span(heat, axis)):
            assert found == pytest.approx(((first + 0.5) * scale, (last + 0.5) * scale), abs=2.5)
    dot = abs(picture - (255, 255, 0)).max(2) < 60
    centre = [sum(span(dot, axis)) / 2 / picture.shape[1 - axis] for axis in (0, 1)]
    assert centre == pytest.approx([(column + 0.5) / 192, (row + 0.5) / 128], abs=0.01)


def test_fields_beyond_the_image_and_maps_in_rows(tmp_path):
    """pool5 of VGG16 sees 212 x 212 pixels, more than the image has."""
    extractor = LinearFeatureExtractor(FCNVGG(width=0.02, padding=1, out_indices=(0, 1, 2, 3, 4)))
    boxes = draw_fields(tmp_path / "fields.svg", extractor, measure_alignment(extractor), grey_grid((64, 128)))
    assert [(right - left, bottom - top) for left, top, right, bottom in boxes] == [
        (s, s) for s in (6, 16, 44, 100, 212)
    ]
    left, top, right, bottom = boxes[-1]
    # the cells of pool5 lie at 15.5 and 47.5 in rows, at 15.5, 47.5, 79.5, 111.5 in columns
    assert ((top + bottom) / 2, (left + right) / 2) in [(r, c) for r in (15.5, 47.5) for c in (47.5, 79.5)]
    svg = (tmp_path / "fields.svg").read_text()
    assert svg.count("<!-- map") == 5 and "<!-- map 4: stride 32, offset 15.5" in svg
    assert all(f"<!-- {label} -->" in svg for label in ("receptive field", "effective weight", "centre of the cell"))


def test_map_without_positions_is_drawn(tmp_path):
    extractor = LinearFeatureExtractor(ResNetV1d(depth=18, base_channels=1, stem_channels=2))
    boxes = draw_fields(tmp_path / "fields.svg", extractor, measure_alignment(extractor, [1]), grey_grid((128, 128)))
    assert boxes[0][2] - boxes[0][0] == pytest.approx(103)
    assert "no one position" in (tmp_path / "fields.svg").read_text()


def test_maps_that_see_nothing_are_refused(extractor, tmp_path):
    with pytest.raises(ValueError, match="no feature map to draw"):
        draw_fields(tmp_path / "fields.png", extractor, [], grey_grid((64, 64)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "size, expected", [((64, 64), (64, 64)), ((375, 500), (320, 448)), ((1000, 130), (768, 128))]
)  # fmt: skip
def test_middle(size, expected):
    image = np.arange(size[0] * size[1]).reshape(*size, 1) * np.ones(3, int)
    middle = middle_of(image)
    assert middle.shape == (*expected, 3)
    top, left = ((whole - side) // 2 for whole, side in zip(size, expected))
    assert (middle[0, 0] == image[top, left]).all()


def test_too_small():
    with pytest.raises(ValueError, match=r"64 x 64 pixels or more, got \(63, 100\)"):
        middle_of(grey_grid((63, 100)))
