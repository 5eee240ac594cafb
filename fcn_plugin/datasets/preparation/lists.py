"""The lists of images: reading, writing, deriving and checking them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...utils.files import atomic_write
from .files import missing_files

FOLDER = "ImageSets/Segmentation"


def read_list(path: Path) -> list[str]:
    """The names in a list, one a line."""
    return path.read_text().split()


def write_list(path: Path, names: Iterable[str]) -> None:
    """Write a list, unless there is one already."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            partial.write_text("".join(f"{name}\n" for name in names))


def trainaug(train: Iterable[str], sbd: Iterable[str], val: Iterable[str]) -> list[str]:
    """The images of VOC2012 train and of all SBD that are not in VOC2012 val, sorted.

    As in the toolbox's ``voc_aug.py``; its count, 10,582, is the usual one.
    """
    return sorted({*train, *sbd} - {*val})


def seg11valid(voc2011_val: Iterable[str], sbd_train: Iterable[str]) -> list[str]:
    """The images of VOC2011's segmentation val that are not in SBD train, in the order of the former.

    Source: the reference's data/pascal/README.md.
    """
    excluded = {*sbd_train}
    return [name for name in voc2011_val if name not in excluded]


def list_problems(
    lists: Mapping[str, Sequence[str]], counts: Mapping[str, int], disjoint: Iterable[tuple[str, str]]
) -> list[str]:
    """What is wrong with lists: their lengths, names that occur twice, and images to train and to validate on.

    Args:
        lists (Mapping): names by list.
        counts (Mapping[str, int]): expected lengths; a list that is not among them has any.
        disjoint (Iterable): pairs of lists, of those given, that must not share an image.

    Returns:
        list[str]: one sentence each.
    """
    problems = []
    for name, entries in lists.items():
        if len(entries) != counts.get(name, len(entries)):
            problems.append(f"{name}.txt has {len(entries)} names, expected {counts[name]}")
        if len(set(entries)) != len(entries):
            twice = next(entry for entry in entries if entries.count(entry) > 1)
            problems.append(f"{name}.txt names {twice} more than once")
    for one, other in disjoint:
        shared = sorted({*lists.get(one, ())} & {*lists.get(other, ())})
        if shared:
            problems.append(f"{one}.txt and {other}.txt overlap: {_examples(shared)}")
    return problems


def tree_problems(
    root: Path,
    label_folders: Mapping[str, str | None],
    counts: Mapping[str, int],
    disjoint: Iterable[tuple[str, str]],
    image_suffix: str,
) -> list[str]:
    """What is missing or wrong in a data set in VOC layout.

    Args:
        root (Path): has ``JPEGImages`` and ``ImageSets/Segmentation``.
        label_folders (Mapping): for each list, the folder of its labels, None if it has none.
        counts (Mapping[str, int]): expected lengths of the lists.
        disjoint (Iterable): pairs of lists that must not share an image.
        image_suffix (str): that of the images.

    Returns:
        list[str]: one sentence each; missing files by name, the first ten of a list.
    """
    problems, lists = [], {}
    for name in label_folders:
        path = root / FOLDER / f"{name}.txt"
        if path.is_file():
            lists[name] = read_list(path)
        else:
            problems.append(f"{path} is missing")
    problems += [f"{root / FOLDER}: {problem}" for problem in list_problems(lists, counts, disjoint)]
    for name, entries in lists.items():
        for folder, suffix in (("JPEGImages", image_suffix), (label_folders[name], ".png")):
            missing = folder and missing_files(root / folder, entries, suffix)
            if missing:
                files = _examples([entry + suffix for entry in missing])
                problems.append(f"{root / folder} lacks {len(missing)} of the {len(entries)} in {name}.txt: {files}")
    return problems


def _examples(names: Sequence[str], at_most: int = 10) -> str:
    return ", ".join(names[:at_most]) + (f" and {len(names) - at_most} more" if len(names) > at_most else "")
