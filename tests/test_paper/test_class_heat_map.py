import numpy as np
import pytest
import torch
from matplotlib import colormaps
from PIL import Image
from testing.classifiers import CLASSES, classifier, picture, sees_blue_and_green

from fcn_plugin.geometry.coord_map import CoordMap
from fcn_plugin.paper import class_heat_map
from fcn_plugin.paper.class_heat_map import draw_heat_maps, find_class, label, read_names, write_heat_maps
from fcn_plugin.paper.class_scores import ClassScores

NAMES = ["background", "tabby, tabby cat", "crane", "tiger cat", "crane"]


@pytest.fixture
def files(tmp_path):
    """A classifier that scores blue (class 1) and green (class 2), an image with a green square, and names."""
    torch.save(sees_blue_and_green(), tmp_path / "weights.pth")
    image = np.full((120, 160, 3), 10, np.uint8)
    image[40:80, 60:100, 1] = 250
    Image.fromarray(image[..., ::-1].copy()).save(tmp_path / "image.png")
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    return tmp_path


def bounds(mask):
    """Edges of what a mask shows, in pixels: top, bottom, left, right."""
    rows, columns = np.nonzero(mask)
    return np.array([rows.min(), rows.max() + 1, columns.min(), columns.max() + 1], float)


def test_picture(tmp_path):
    """The brightest cell is drawn where it lies in the image, and the map of pixels peaks in its centre."""
    cells = torch.zeros(3, 4, 5)
    cells[1, 2, 1] = 9.0
    scores = ClassScores(cells, CoordMap(32, 13), (120, 150))
    image = np.full((120, 150, 3), (30, 200, 10), np.uint8)
    draw_heat_maps(tmp_path / "new" / "map.png", image, scores, [1], NAMES)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["map.png"]
    with Image.open(tmp_path / "new/map.png") as drawn:
        pixels = np.array(drawn.convert("RGB")).astype(int)[:, : int(0.9 * drawn.width)]  # without the scale

    def shows(colour):
        return (np.abs(pixels - colour) <= 1).all(axis=2)

    lowest, highest = (np.round(255 * np.array(colormaps["viridis"](value)[:3])) for value in (0.0, 1.0))
    top, bottom, left, right = bounds(shows((30, 200, 10)))
    scale = (bottom - top) / 120  # of the drawing, per pixel of the image
    assert scale > 2 and (right - left) / 150 == pytest.approx(scale, rel=0.02)
    # the first row of both maps is dark; between them is a gap
    columns = np.nonzero(shows(lowest)[int(top) + 3])[0]
    (gap,) = np.nonzero(np.diff(columns) > 5)[0]
    extents = []
    for start, end in ((columns[0], columns[gap]), (columns[gap + 1], columns[-1])):
        bright = shows(highest)
        bright[:, :start] = bright[:, end:] = False
        extents.append((bounds(bright) - [top, top, start, start]) / scale - 0.5)
    # cell (2, 1) is 32 pixels wide, around row 13 + 2 * 32 and column 13 + 32
    assert extents[0] == pytest.approx([77 - 16, 77 + 16, 45 - 16, 45 + 16], abs=1)
    first, last, left, right = extents[1]
    assert ((first + last) / 2, (left + right) / 2) == pytest.approx((77, 45), abs=1) and last - first < 16


def test_a_row_for_each_class(tmp_path):
    scores = ClassScores(torch.randn(3, 4, 5), CoordMap(32, 13), (120, 150))
    heights = []
    for classes in ([1], [1, 0, 2]):
        draw_heat_maps(tmp_path / "map.png", picture(120, 150), scores, classes)
        with Image.open(tmp_path / "map.png") as drawn:
            heights.append(drawn.height)
    assert heights[1] == pytest.approx(3 * heights[0], abs=3)


def test_from_files(files, monkeypatch):
    drawn = []
    monkeypatch.setattr(class_heat_map, "draw_heat_maps", lambda *row: drawn.append(row))
    arguments = (str(files / "weights.pth"), files / "image.png", files / "map.png")
    (line,) = write_heat_maps(*arguments, names=files / "names.txt")
    assert line.startswith("class 2 crane: score ") and line.endswith(", probability 1.00")
    assert len(write_heat_maps(*arguments, top=3)) == 3
    lines = write_heat_maps(*arguments, classes=["TABBY, tabby cat", "4", "background"], names=files / "names.txt")
    assert [line.split(":")[0] for line in lines] == ["class 1 tabby, tabby cat", "class 4 crane", "class 0 background"]
    assert [row[3] for row in drawn] == [[2], [2, 1, 0], [1, 4, 0]]
    file, image, scores, classes, names = drawn[0]
    assert (file, classes, names) == (files / "map.png", [2], NAMES)
    assert image.shape == (120, 160, 3) and image[60, 80].tolist() == [10, 250, 10]
    place = [float(scores.coord_map.pixel(cell)) for cell in scores.peak(2)]
    assert place == pytest.approx([60, 80], abs=16)


def test_names():
    found = {
        "3": 3, "tiger cat": 3, "TIGER CAT": 3, "tiger": 3, "tabby cat": 1, "background": 0,
    }  # fmt: skip
    assert {wanted: find_class(wanted, 5, NAMES) for wanted in found} == found
    assert find_class("4", 5) == 4
    assert label(1, NAMES) == "class 1 tabby, tabby cat" and label(1) == "class 1"
    assert len(label(1, ["", "word " * 30])) <= 40


@pytest.mark.parametrize(
    "wanted, names, message",
    [
        ("5", NAMES, "class 5 is out of range: the classifier has classes 0 to 4"),
        ("-1", None, "class -1 is out of range"),
        ("cat", None, "'cat' is not an index, and no names"),
        ("cat", NAMES, r"2 of the names have 'cat' \(1 tabby, tabby cat, 3 tiger cat\)"),
        ("crane", NAMES, r"2 of the names have 'crane' \(2 crane, 4 crane\)"),
        ("dog", NAMES, "0 of the names have 'dog': give one of the names, or an index"),
    ],
)
def test_unknown_classes(wanted, names, message):
    with pytest.raises(ValueError, match=message):
        find_class(wanted, CLASSES, names)


def test_read_names(tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("a\n  b b \n\nc\n\n")
    assert read_names(file, 4) == ["a", "b b", "", "c"]
    with pytest.raises(ValueError, match="has 4 names, one a line, but the classifier has 5 classes"):
        read_names(file, 5)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(image="missing.png"), FileNotFoundError, "there is no image .*missing.png"),
        (dict(image="names.txt"), ValueError, "names.txt is no image"),
        (dict(weights="missing.pth"), FileNotFoundError, "missing.pth"),
        (dict(weights="segmentor.pth"), ValueError, "no fc8.weight, fc8.bias .*not a segmentation network"),
        (dict(weights="unknown_input.pth"), ValueError, "does not tell which input it expects: give --preprocessing"),
        (dict(classes=["5"]), ValueError, "class 5 is out of range"),
        (dict(classes=["dog"], names="names.txt"), ValueError, "'dog'"),
        (dict(names="four.txt"), ValueError, "has 4 names"),
        (dict(names="missing.txt"), FileNotFoundError, "no file of names"),
        (dict(top=6), ValueError, "must be 1 to 5, got 6"),
        (dict(config="missing.py"), FileNotFoundError, "there is no config"),
        (dict(out="map.xyz"), ValueError, r"a picture must end in .*png.*, got .*map.xyz"),
    ],
)
def test_wrong_input_writes_nothing(files, change, error, message):
    (files / "four.txt").write_text("a\nb\nc\nd\n")
    segmentor = {key: value for key, value in classifier()["state_dict"].items() if not key.startswith("fc8")}
    torch.save(dict(state_dict={**segmentor, "decode_head.score_fr.bias": torch.zeros(21)}), files / "segmentor.pth")
    torch.save(dict(state_dict=classifier()["state_dict"]), files / "unknown_input.pth")
    before = sorted(files.iterdir())
    arguments = {**dict(weights="weights.pth", image="image.png", out="new/map.png"), **change}
    paths = ("weights", "image", "out", "names", "config")
    arguments.update({key: str(files / arguments[key]) for key in paths if key in arguments})
    with pytest.raises(error, match=message):
        write_heat_maps(**arguments)
    assert sorted(files.iterdir()) == before
