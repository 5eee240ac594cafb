"""The lists: their definitions and their checks."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from fcn_plugin.datasets.preparation.lists import (
    list_problems,
    read_list,
    seg11valid,
    trainaug,
    tree_problems,
    write_list,
)
from fcn_plugin.datasets.preparation.release import VOC_RELEASE


def test_trainaug():
    assert trainaug(["t1", "t0"], ["s1", "v0", "t0", "s0"], ["v0", "v1"]) == ["s0", "s1", "t0", "t1"]


def test_seg11valid():
    assert seg11valid(["c", "a", "b"], ["b", "x"]) == ["c", "a"]


def test_seg11valid_is_that_of_the_reference():
    names = list(VOC_RELEASE.seg11valid)
    assert len(names) == VOC_RELEASE.counts["seg11valid"] == 736
    assert names == sorted(set(names)) and names[0] == "2007_000033" and names[-1] == "2011_003271"
    ports = find_spec("torchfcn")  # comes with the reference's repository
    if ports is None:
        pytest.skip("torchfcn is not installed")
    path = Path(ports.submodule_search_locations[0], "ext/fcn.berkeleyvision.org/data/pascal/seg11valid.txt")
    assert names == read_list(path)


def test_counts_fit_each_other():
    counts = VOC_RELEASE.counts
    assert counts["train"] + counts["val"] == counts["trainval"]
    assert counts["trainaug"] - counts["train"] == counts["aug"]


def test_a_list_is_written_once(tmp_path):
    path = tmp_path / "lists/a.txt"
    write_list(path, ["b", "a"])
    assert path.read_text() == "b\na\n" and read_list(path) == ["b", "a"]
    write_list(path, ["c"])
    assert read_list(path) == ["b", "a"] and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "lists, expected",
    [
        (dict(a=["1", "2"], b=["3"]), []),
        (dict(a=["1"], b=["3"]), ["a.txt has 1 names, expected 2"]),
        (dict(a=["1", "1"], b=[]), ["a.txt names 1 more than once"]),
        (dict(a=["1", "2"], b=["3", "2", "1"]), ["a.txt and b.txt overlap: 1, 2"]),
        (dict(b=["1"]), []),
    ],
)
def test_list_problems(lists, expected):
    assert list_problems(lists, dict(a=2), [("a", "b")]) == expected


def test_many_examples_are_cut_short():
    names = [f"{i:02d}" for i in range(14)]
    (problem,) = list_problems(dict(a=names, b=names), {}, [("a", "b")])
    assert problem == "a.txt and b.txt overlap: 00, 01, 02, 03, 04, 05, 06, 07, 08, 09 and 4 more"


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
    for folder, files in (("JPEGImages", ["x.jpg", "y.jpg", "z.jpg"]), ("Labels", ["x.png", "y.png"])):
        (tmp_path / folder).mkdir()
        for file in files:
            Image.new("L", (2, 2)).save(tmp_path / folder / file)
    assert find() == []
    (tmp_path / "Labels/y.png").write_bytes(b"")
    assert find() == ["Labels lacks 1 of the 2 in a.txt: y.png"]
    (tmp_path / "ImageSets/Segmentation/b.txt").write_text("x\n")
    assert find()[0] == "ImageSets/Segmentation: a.txt and b.txt overlap: x"
