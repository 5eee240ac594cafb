"""Pixels by class: what is an error, what a warning, and the table."""

import re

import pytest

from fcn_plugin.checks.census import Census
from fcn_plugin.checks.class_pixels import ClassPixels, summary, table
from fcn_plugin.checks.findings import Findings

CLASSES = ("background", "cat", "dog")


def counted(*labels: dict[int, int], split="train", classes=CLASSES, ignore_index=255, unread=0) -> ClassPixels:
    census = Census({})
    for number, pixels in enumerate([*labels, *[{}] * unread]):
        census.add(Findings(pixels=pixels), number, dict(img_path=f"{number}.jpg"))
    return ClassPixels(split, classes, ignore_index, [census])


@pytest.mark.parametrize(
    "labels, error",
    [
        ([{0: 50, 1: 30, 2: 10, 255: 10}], None),
        ([{0: 50}, {1: 30}, {2: 10}], None),
        (
            [{0: 75, 255: 25}],
            "only background has labelled pixels; 25.0% of all are 255, the ignored index: if that is",
        ),
        ([{1: 75, 255: 25}], "only cat has labelled pixels; .* meant as background, .*, save it as 0"),
        ([{0: 75}], "2 of 3 classes have no labelled pixel in 1 labels: cat, dog"),
        ([{0: 75, 2: 25}, {2: 9, 255: 2}], "1 of 3 classes have no labelled pixel in 2 labels: cat"),
        ([{255: 9}, {255: 1}], "no labelled pixel in 2 labels of train: all are 255, the ignored index"),
        ([], None),
    ],
)
def test_error(labels, error):
    found = counted(*labels).error()
    assert found is None if error is None else re.match(error, found)


def test_nothing_is_said_of_labels_that_were_not_read():
    assert counted({0: 5}, unread=1).error() is None
    assert counted({0: 5}, unread=1, split="val").warnings() == []


def test_an_ignored_class_needs_no_pixel():
    found = counted({0: 50, 1: 25, 2: 25}, ignore_index=0)
    assert found.error() is None and found.ignored == 0.5 and found.labelled == 50
    assert counted({0: 50, 1: 25}, ignore_index=0).missing == ["dog"]


@pytest.mark.parametrize(
    "split, labels, warnings",
    [
        ("val", [{0: 50, 2: 50}], ["val has no labelled pixel of cat"]),
        ("train", [{0: 50, 2: 50}], []),
        ("train", [{0: 69, 255: 31}], ["31.0% of the label pixels of train are ignored (255)"]),
        ("val", [{255: 4}], ["100.0% of the label pixels of val are ignored (255)"]),
        ("val", [{0: 40, 1: 20, 2: 10, 255: 30}], []),
    ],
)
def test_warnings(split, labels, warnings):
    assert counted(*labels, split=split).warnings() == warnings


def test_the_only_class():
    assert counted({0: 9}, classes=("thing",)).warnings() == [
        "thing is the only class: there is nothing to tell it from"
    ]


def test_what_training_alone_needs():
    assert counted({0: 9}, split="val").error() is None
    assert counted({255: 9}, split="val").error().startswith("no labelled pixel in 1 labels of val")


def test_several_data_sets_are_one():
    parts = [Census({}), Census({})]
    parts[0].add(Findings(pixels={0: 5}), 0, dict(img_path="a"))
    parts[1].add(Findings(pixels={0: 5, 1: 2, 2: 1}), 0, dict(img_path="b"))
    found = ClassPixels("train", CLASSES, 255, parts)
    assert found.error() is None and dict(found.pixels) == {0: 10, 1: 2, 2: 1} and found.labels == 2


def test_table():
    train = counted({0: 6000, 1: 2000, 255: 2000}, {0: 2000})
    val = counted({0: 50, 1: 25, 2: 25}, split="val")
    assert table([train, val]).splitlines() == [
        "labelled pixels                            train, 2 labels                     val, 1 labels",
        "                                  pixels   share    labels          pixels   share    labels",
        "background                         8,000  80.00%         2              50  50.00%         1",
        "cat                                2,000  20.00%         1              25  25.00%         1",
        "dog                                    0   0.00%         0              25  25.00%         1",
        "(ignored, of all pixels)           2,000  16.67%         1               0   0.00%         0",
    ]
    assert summary(train) == "train: 2 labels, 16.7% of the pixels ignored, none of dog"


def test_note_of_a_sample():
    """What is kept in the cache comes back."""
    findings = Findings([], (4, 3, 1), {0: 7, 255: 5}, {0: 0xFF}, 2, True, False, 4095.0)
    assert Findings.from_note(findings.note()) == findings
    assert Findings.from_note(Findings().note()) == Findings()
