"""The lists of images: reading, writing and checking them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...utils.files import atomic_write
from ...utils.text import summarize
from .files import missing_files

FOLDER, IMAGES, LABELS = "ImageSets/Segmentation", "JPEGImages", "SegmentationClass"


def read_list(path: Path) -> list[str]:
    """The names in a list, one a line."""
    return path.read_text().split()


def write_list(path: Path, names: Iterable[str]) -> None:
    """Write a list, unless there is one already."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            partial.write_text("".join(f"{name}\n" for name in names))


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
        if shared := sorted({*lists.get(one, ())} & {*lists.get(other, ())}):
            problems.append(f"{one}.txt and {other}.txt overlap: {summarize(shared, 10)}")
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
        counts, disjoint: see :func:`list_problems`.
        image_suffix (str): that of the images.

    Returns:
        list[str]: one sentence each; missing files by name, the first ten of a list.
    """
    paths = {name: root / FOLDER / f"{name}.txt" for name in label_folders}
    problems = [f"{path} is missing" for path in paths.values() if not path.is_file()]
    lists = {name: read_list(path) for name, path in paths.items() if path.is_file()}
    problems += [f"{root / FOLDER}: {problem}" for problem in list_problems(lists, counts, disjoint)]
    for name, entries in lists.items():
        for folder, suffix in ((IMAGES, image_suffix), (label_folders[name], ".png")):
            if folder and (missing := missing_files(root / folder, entries, suffix)):
                files = summarize([entry + suffix for entry in missing], 10)
                problems.append(f"{root / folder} lacks {len(missing)} of the {len(entries)} in {name}.txt: {files}")
    return problems
