"""Pictures into lists to train, to validate and to test on: by classes, by groups, and with a seed."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np

from ...utils.text import summarize

ATTEMPTS = 20  #: orders of the pictures to try until the lists are good
#: Folders whose pictures are a list already.
FOLDERS = dict(train="train", training="train", val="val", valid="val", validation="val", test="test", testing="test")
TOLERANCE = 0.01  #: of all pictures, that a list may be off its share; half a picture at least


def given_lists(names: Sequence[str]) -> list[str] | None:
    """The list of each name, by the folder that it is in: ``train/``, ``valid/``, ``test/`` and the like.

    Returns:
        list[str] | None: None unless each name is in one such folder, and there are some to train and to validate on.
    """
    folders = [{FOLDERS[part] for part in name.lower().split("/")[:-1] if part in FOLDERS} for name in names]
    if any(len(found) != 1 for found in folders):
        return None
    lists = [found.pop() for found in folders]
    return lists if {"train", "val"} <= {*lists} else None


def group_expression(pattern: str) -> re.Pattern:
    """The regular expression that a user gives to find groups by.

    Raises:
        ValueError: if it is none.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"--group-by {pattern!r} is no regular expression: {error}") from error


def groups_of(names: Sequence[str], expression: re.Pattern) -> list[str | None]:
    """The group of each name: what an expression finds in it, None where it finds nothing.

    Args:
        names (Sequence[str]): of pictures, with their folders.
        expression (re.Pattern): if it has parentheses, what is in them is the group, else all of the match.

    Raises:
        ValueError: if it is found in no name, or makes a single group.
    """
    pattern = expression.pattern
    matches = [expression.search(name) for name in names]
    groups = ["/".join(filter(None, m.groups())) or m.group() if m else None for m in matches]
    if not any(groups):
        raise ValueError(f"--group-by {pattern!r} is found in no name of a picture: {summarize(names)}")
    if None not in groups and len(set(groups)) == 1:
        raise ValueError(
            f"--group-by {pattern!r} puts all {len(names)} pictures into one group, {groups[0]!r}, which cannot be"
            f" split; their names are {summarize(names)}"
        )
    return [group or None for group in groups]


def joined(*keys: Sequence[Hashable | None]) -> list[int]:
    """Number the sets of pictures that belong together: those that share a key in one of several sequences.

    Args:
        *keys (Sequence): of each picture a key; None is shared with none.

    Returns:
        list[int]: of each picture the index of the first one of its set.
    """
    parents = list(range(len(keys[0])))

    def root(index: int) -> int:
        while parents[index] != index:
            index = parents[index]
        return index

    for sequence in keys:
        first: dict[Hashable, int] = {}
        for index, key in enumerate(sequence):
            if key is not None:
                one, other = sorted((root(index), root(first.setdefault(key, index))))
                parents[other] = one
    return [root(index) for index in range(len(parents))]


def split(
    classes: Sequence[Collection[int]], units: Sequence[Hashable], shares: Mapping[str, float], seed: int = 0
) -> list[str]:
    """Split pictures into lists, in each of which classes are as frequent as in all, as far as possible.

    Iterative stratification: the rarest class that is left is dealt out first, each picture to the list that lacks this
    class most. A class goes to the first list, then once to each of the others, before it goes to any again.

    Args:
        classes (Sequence[Collection[int]]): those that occur in each picture.
        units (Sequence[Hashable]): of each picture the group that stays together.
        shares (Mapping[str, float]): of the pictures by list, the one to train on first; their sum is 1.
        seed (int): of the order of pictures that are alike.

    Returns:
        list[str]: the list of each picture; the same for the same arguments.

    Raises:
        ValueError: if there are fewer groups than lists.

    Source: Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data", 2011.
    """
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys(units))}
    if len(numbers) < len(shares):
        raise ValueError(
            f"{len(units)} pictures that make {len(numbers)} group{'s' * (len(numbers) != 1)} cannot be split into"
            f" {len(shares)} lists ({', '.join(shares)}): give more pictures or groups"
        )
    columns = {index: column for column, index in enumerate(sorted(set().union(*classes)))}
    counts = np.zeros((len(numbers), len(columns) + 1))  # pictures by unit and class, and in the last column all
    for unit, found in zip(units, classes):
        counts[numbers[unit], [columns[index] for index in found] + [-1]] += 1
    wanted = np.outer(list(shares.values()), counts.sum(0))
    best = None
    for attempt in range(ATTEMPTS):
        lists = _deal(counts, wanted, np.random.default_rng([seed, attempt]))
        score = _faults(counts, wanted, lists)
        if best is None or score < best[0]:
            best = score, lists
        if not any(score[:-1]) and score[-1] <= max(0.5, TOLERANCE * len(units)):
            break
    names = list(shares)
    return [names[best[1][numbers[unit]]] for unit in units]


def _deal(counts: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The list of each unit, integers (units,), for pictures by unit and class, and those wanted by list and class."""
    lists = np.full(len(counts), -1)
    held = np.zeros_like(wanted)
    order = rng.permutation(len(counts))
    while len(left := order[lists[order] < 0]):
        units_left = (counts[left] > 0).sum(0)
        column = np.where(units_left > 0, units_left, len(counts) + 1).argmin()
        for unit in left[counts[left, column] > 0]:
            empty = np.flatnonzero(held[:, -1] == 0)
            room = (held[:, -1] == 0) | (wanted[:, -1] - held[:, -1] >= counts[unit, -1] / 2)
            room[0] = True
            without = np.flatnonzero((held[:, column] == 0) & room)
            if np.count_nonzero(lists < 0) <= len(empty):
                chosen = empty[0]
            elif len(without):
                chosen = without[0]
            else:
                lacking = wanted - held
                chosen = max(range(len(wanted)), key=lambda one: (lacking[one, column], lacking[one, -1]))
            lists[unit] = chosen
            held[chosen] += counts[unit]
    return lists


def _faults(counts: np.ndarray, wanted: np.ndarray, lists: np.ndarray) -> tuple[float, ...]:
    """What is wrong with lists: by list, the classes that it lacks and could have; and pictures too many or too few."""
    held = np.array([counts[lists == one].sum(0) for one in range(len(wanted))])
    units = (counts > 0).sum(0)
    lacking = [np.count_nonzero((held[one] == 0) & (units > one)) for one in range(len(wanted))]
    return *lacking, np.abs(held - wanted)[:, -1].max()
