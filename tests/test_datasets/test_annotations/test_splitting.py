"""Splitting: by classes, by groups, with a seed."""

import re
from collections import Counter

import numpy as np
import pytest

from fcn_plugin.datasets.annotations.splitting import group_expression, groups_of, joined, split

HALVES = dict(train=0.8, val=0.2)
THREE = dict(train=0.6, val=0.2, test=0.2)


def lists_with(index, classes, lists):
    return Counter(name for found, name in zip(classes, lists) if index in found)


@pytest.mark.parametrize("number, expected", [(20, (16, 4)), (2, (1, 1)), (3, (2, 1)), (101, (81, 20))])
def test_shares(number, expected):
    lists = Counter(split([{0, 1}] * number, range(number), HALVES))
    assert (lists["train"], lists["val"]) == expected


@pytest.mark.parametrize("seed", range(5))
def test_rare_classes_are_in_both_lists(seed):
    """Of 100 pictures two have class 5, three have 6, one has 7, and each of the others is in a tenth."""
    rng = np.random.default_rng(seed)
    classes = [{0, *(c for c in (1, 2, 3) if rng.random() < 0.1)} for _ in range(100)]
    for index, rare in ((3, 5), (60, 5), (10, 6), (11, 6), (90, 6), (50, 7)):
        classes[index].add(rare)
    lists = split(classes, range(100), HALVES, seed)
    assert lists_with(5, classes, lists) == dict(train=1, val=1)
    assert lists_with(6, classes, lists)["val"] == 1
    assert lists_with(7, classes, lists) == dict(train=1)
    for index in (1, 2, 3):
        found = lists_with(index, classes, lists)
        assert abs(found["val"] - 0.2 * found.total()) <= 1.5
    assert abs(Counter(lists)["val"] - 20) <= 1


def test_an_order_that_leaves_a_class_out_of_train_is_not_taken():
    """Class 2 is in the second pictures of two rarer classes: both would go to val."""
    for seed in range(20):
        classes = [{0}, {0, 2}, {1}, {1, 2}, *[set()] * 8]
        lists = split(classes, range(12), dict(train=0.7, val=0.3), seed)
        assert all(lists_with(index, classes, lists) == dict(train=1, val=1) for index in (0, 1, 2))


@pytest.mark.parametrize("shares", [HALVES, THREE])
def test_groups_stay_together(shares):
    rng = np.random.default_rng(1)
    units = rng.integers(12, size=200).tolist()
    lists = split([{0, u % 3} for u in units], units, shares, 7)
    assert len({(u, name) for u, name in zip(units, lists)}) == len(set(units)) == 12
    assert Counter(lists).keys() == shares.keys()
    assert abs(Counter(lists)["val"] - 40) <= 15


def test_three_groups_and_three_lists():
    assert sorted(split([{0}, {1}, {2}], "abc", THREE)) == ["test", "train", "val"]
    with pytest.raises(ValueError, match=r"4 pictures that make 2 groups cannot be split into 3 lists \(train, val,"):
        split([{0}] * 4, "aabb", THREE)


def test_seed():
    several = [split([{0, 1}] * 30, range(30), HALVES, seed) for seed in (0, 0, 1)]
    assert several[0] == several[1] != several[2]


def test_joined():
    assert joined("aabcd", [None, 1, 1, 2, 2], [None] * 5) == [0, 0, 0, 3, 3]
    assert joined([None, None], [None, None]) == [0, 1]


def test_groups_of_names():
    names = ["patient1_a", "patient1_b", "patient22_a", "other"]
    assert groups_of(names, re.compile(r"^(patient\d+)_")) == ["patient1", "patient1", "patient22", None]
    assert groups_of(["a/1", "a/2", "b/1"], re.compile(".*/")) == ["a/", "a/", "b/"]
    assert groups_of(["x1_y1", "x1_y2", "x2_y1"], re.compile(r"x(\d)_y(\d)")) == ["1/1", "1/2", "2/1"]


@pytest.mark.parametrize(
    "pattern, message",
    [
        ("patient", "'patient' is found in no name of a picture: a_1, a_2"),
        ("^a", "puts all 2 pictures into one group, 'a', which cannot be split"),
        ("(a", r"--group-by '\(a' is no regular expression: missing \)"),
    ],
)
def test_wrong_groups(pattern, message):
    with pytest.raises(ValueError, match=message):
        groups_of(["a_1", "a_2"], group_expression(pattern))
