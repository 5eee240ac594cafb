"""The lists and their checks."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from fcn_plugin.datasets.preparation.lists import list_problems, read_list, tree_problems, write_list
from fcn_plugin.datasets.preparation.release import VOC_RELEASE


def test_seg11valid_is_that_of_the_reference():
    (folder,) = find_spec("torchfcn").submodule_search_locations  # comes with the reference's repository
    names = read_list(Path(folder, "ext/fcn.berkeleyvision.org/data/pascal/seg11valid.txt"))
    assert list(VOC_RELEASE.seg11valid) == names and len(names) == VOC_RELEASE.counts["seg11valid"] == 736


def test_a_list_is_written_once(tmp_path):
    path = tmp_path / "lists/a.txt"
    write_list(path, ["b", "a"])
    assert path.read_text() == "b\na\n" and read_list(path) == ["b", "a"]
    write_list(path, ["c"])
    assert read_list(path) == ["b", "a"] and list(path.parent.iterdir()) == [path]


NAMES = [f"{i:02d}" for i in range(14)]


@pytest.mark.parametrize(
    "lists, expected",
    [
        (dict(a=["1", "2"], b=["3"]), []),
        (dict(a=["1"], b=["3"]), ["a.txt has 1 names, expected 2"]),
        (dict(a=["1", "1"], b=[]), ["a.txt names 1 more than once"]),
        (dict(a=["1", "2"], b=["3", "2", "1"]), ["a.txt and b.txt overlap: 1, 2"]),
        (dict(b=["1"]), []),
        (dict(c=NAMES, b=NAMES), [f"c.txt and b.txt overlap: {', '.join(NAMES[:10])} and 4 more"]),
    ],
)
def test_list_problems(lists, expected):
    assert list_problems(lists, dict(a=2), [("a", "b"), ("c", "b")]) == expected


def test_tree_problems(tmp_path):
    def find() -> list[str]:
        problems = tree_problems(tmp_path, dict(a="Labels", b=None), dict(a=2), [("a", "b")], ".jpg")
        return [problem.replace(f"{tmp_path}/", "") for problem in problems]

    assert find() == ["ImageSets/Segmentation/a.txt is missing", "ImageSets/Segmentation/b.txt is missing"]
    write_list(tmp_path / "ImageSets/Segmentation/a.txt", ["x", "y"])
    write_list(tmp_path / "ImageSets/Segmentation/b.txt", ["z"])
    assert find() == [
        "JPEGImages lacks 2 of the 2 in a.txt: x.jpg, y.jpg",
        "Labels lacks 2 of the 2 in a.txt: x.png, y.png",
        "JPEGImages lacks 1 of the 1 in b.txt: z.jpg",
    ]
    for file in ("JPEGImages/x.jpg", "JPEGImages/y.jpg", "JPEGImages/z.jpg", "Labels/x.png", "Labels/y.png"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        Image.new("L", (2, 2)).save(tmp_path / file)
    assert find() == []
    (tmp_path / "Labels/y.png").write_bytes(b"")
    assert find() == ["Labels lacks 1 of the 2 in a.txt: y.png"]
    (tmp_path / "ImageSets/Segmentation/b.txt").write_text("x\n")
    assert find()[0] == "ImageSets/Segmentation: a.txt and b.txt overlap: x"
