"""Colours of labels: of colour pictures, and of palettes that contradict the data set's."""

import io

import numpy as np
import pytest
from PIL import Image

from fcn_plugin.checks.label_colours import PaletteComparison, colour_problem
from fcn_plugin.datasets.shapes_generator import voc_palette
from fcn_plugin.datasets.transforms import LoadLabels
from fcn_plugin.datasets.transforms.load_labels import encode_colours

VOC = voc_palette()
LABEL = np.arange(100).reshape(10, 10) // 25


def problem(image: np.ndarray, **options) -> str | None:
    content = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(content, **(options or dict(format="PNG")))
    return colour_problem(content.getvalue(), LoadLabels(VOC[:6].tolist()))


def with_pixels(count: int, colours: int) -> np.ndarray:
    """Some pixels of other colours."""
    image = VOC[LABEL].reshape(100, 3)
    for pixel in range(count):
        image[pixel] = 200, 7, pixel % colours
    return image.reshape(10, 10, 3)


@pytest.mark.parametrize(
    "count, colours, expected",
    [
        (1, 1, None),  # a few pixels
        (40, 8, None),  # a few colours may be those of pixels to ignore
        (9, 9, "9.0% of its pixels have colours that are not in the palette (9 colours; outlines are smoothed"),
    ],
)
def test_unknown_colours(count, colours, expected):
    found = problem(with_pixels(count, colours))
    assert found is None if expected is None else found.startswith(expected)


def test_order_of_the_bands():
    assert "25.0% of its pixels have colours that are not in the palette, 0.0% if red and blue" in problem(
        VOC[LABEL][..., ::-1]
    )
    assert problem(VOC[LABEL]) is None


def test_indices_in_three_bands():
    assert "but three equal bands of indices: save one band" in problem(np.dstack([LABEL] * 3))


def test_jpeg():
    image = VOC[LABEL.repeat(8, 0).repeat(8, 1)]
    assert "JPEG changes colours" in problem(image, format="JPEG", quality=80)


CLASSES = [[0, 0, 0], [128, 64, 128], [128, 0, 0]]
BACKGROUND, ROAD, BUILDING = map(tuple, CLASSES)
FOREIGN, BORDER = (1, 2, 3), (224, 224, 192)
GREYS = {grey: (grey, grey, grey) for grey in range(256)}


@pytest.mark.parametrize(
    "files, error, texts",
    [
        ([{0: BACKGROUND, 1: ROAD, 2: BUILDING}], False, []),
        ([{0: BACKGROUND[::-1], 1: ROAD[::-1], 2: BUILDING[::-1]}], False, []),  # BGR, in the right order
        ([{0: FOREIGN, 1: (4, 4, 4), 2: (8, 8, 8)}], False, []),  # has nothing to do with it
        ([{0: BACKGROUND, 1: BUILDING, 2: ROAD}], True, ["a0: 1 in the colour of 2, 2 in the colour of 1"]),
        ([{0: BACKGROUND, 1: BUILDING}], True, ["a0: 1 in the colour of 2"]),
        # the palette that a tool gives to all files: its second colour is a class's by chance
        ([{0: BACKGROUND, 1: BUILDING}, {0: BACKGROUND, 2: (0, 128, 0)}], False, ["a0: 1 in the colour of 2"]),
        # another order in each file, also with a colour of pixels to ignore
        ([{0: ROAD, 1: BACKGROUND, 2: BORDER}, {0: BACKGROUND, 1: ROAD}], True, ["a0: 0 in the colour of 1, 1 in the"]),
        ([{0: BORDER, 1: BACKGROUND}, {0: BACKGROUND, 1: BORDER}], True, ["a0: 1 in the colour of 0"]),
        # grey labels, of which an optimiser has made palettes of what occurs
        (
            [{0: GREYS[0], 1: GREYS[2]}, {0: GREYS[0], 1: GREYS[1], 2: GREYS[255]}],
            True,
            ["a0: 1 in the grey of 2", "a1: 2 in"],
        ),
        ([{0: GREYS[0], 1: GREYS[1], 2: GREYS[2]}], False, []),
        ([{0: GREYS[0], 1: GREYS[255]}, {0: GREYS[0], 1: GREYS[255]}], False, []),  # a scale that shows the indices
        ([{0: GREYS[0], 1: GREYS[90]}, {0: GREYS[0], 1: GREYS[80]}], False, []),
    ],
)
def test_palettes(files, error, texts):
    comparison = PaletteComparison(CLASSES)
    for number, colours in enumerate(files):
        comparison.add(f"a{number}", {index: int(encode_colours(np.array(code))) for index, code in colours.items()})
    found = comparison.contradicting()
    assert found[0] == error and len(found[1]) == len(texts)
    assert all(text.startswith(start) for text, start in zip(found[1], texts))


def test_classes_that_start_at_one():
    comparison = PaletteComparison(CLASSES, first=1)
    comparison.add("a", {0: 0, 1: 0, 2: 0x804080})
    assert comparison.contradicting() == (False, [])


def test_colour_of_two_classes():
    comparison = PaletteComparison([[0, 0, 0], [9, 9, 9], [0, 0, 0]])
    comparison.add("a", {0: 0, 2: 0})
    assert comparison.contradicting() == (False, [])
