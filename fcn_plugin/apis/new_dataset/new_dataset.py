"""From pictures and their annotations to a data set with lists, and the config that trains on it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ...datasets.annotations.annotated import AnnotatedSet
from ...datasets.annotations.read_annotations import read_annotations
from ...datasets.annotations.splitting import given_lists, group_expression, groups_of, joined, split
from ...utils.files import NO_ROOM, CannotWriteError
from ...utils.progress import in_threads
from ...utils.text import summarize
from .ceilings import label_ceilings
from .choices import Choices, Wishes, choose
from .config_text import config_files
from .facts import DatasetFacts
from .layout import Layout
from .measuring import Measured, common_bands, facts_of
from .pictures import usual_suffix
from .record import check_place, check_same, content_of, write_record
from .writing import drop_unused, write_pictures

VAL = 0.2  #: share of the pictures to validate on
SIZE_OF_LABELS = 1.1  #: of a copied data set to its pictures, about


@dataclass(frozen=True)
class NewDataset:
    """A data set that was made.

    Attributes:
        out: its directory.
        annotated: what it was made from.
        names: of its pictures, as in the lists.
        lists: ``train``, ``val`` or ``test`` for each picture.
        pictures: what was measured of each.
        facts: from which the settings were chosen.
        choices: the settings.
        remarks: what a user should know.
    """

    out: Path
    annotated: AnnotatedSet
    names: tuple[str, ...]
    lists: tuple[str, ...]
    pictures: tuple[Measured, ...]
    facts: DatasetFacts
    choices: Choices
    remarks: tuple[str, ...]


def new_dataset(
    images: str | Path,
    masks: str | Path,
    out: str | Path,
    *,
    pair: str | None = None,
    classes: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    val: float | None = None,
    test: float = 0.0,
    group_by: str | None = None,
    seed: int = 0,
    link: bool = False,
    bands: int | None = None,
    wishes: Wishes | None = None,
) -> NewDataset | None:
    """Write a data set in VOC layout, and ``config.py`` in it, which trains on it.

    It is written to a directory beside ``out``, which takes the place of ``out`` when it is complete.

    Args:
        images (str | Path): folder of pictures.
        masks (str | Path): their annotations: a folder of masks, or what :func:`read_annotations` reads.
        out (str | Path): directory to make.
        pair, classes, ignore: see :func:`read_annotations`.
        val (float, optional): share of the pictures to validate on, by default 0.2. Pictures in folders such as
            ``train`` and ``valid`` are in these lists already, unless ``val``, ``test`` or ``group_by`` is given.
        test (float): share of the pictures to test on; 0 makes no such list.
        group_by (str, optional): a regular expression: pictures in whose names it finds the same stay in one list.
        seed (int): of the split.
        link (bool): make symbolic links to the pictures rather than copies.
        bands (int, optional): number of bands that all pictures have; found by default.
        wishes (Wishes, optional): for the settings.

    Returns:
        NewDataset | None: None if ``out`` was made from the same pictures with the same options before: nothing is
        changed.

    Raises:
        FileExistsError: if there is something else in ``out``.
        OSError: if ``out`` cannot be written.
        FileNotFoundError, ValueError: for wrong options, pictures or annotations; nothing is left behind.
    """
    wishes = wishes or Wishes()
    images, masks, out = Path(images), Path(masks), Path(out)
    shares = _shares(VAL if val is None else val, test, seed)
    expression = None if group_by is None else group_expression(group_by)
    options = dict(pair=pair, classes=classes and list(classes), ignore=list(map(str, ignore)), val=val, test=test)
    options |= dict(group_by=group_by, seed=seed, link=link, bands=bands, **asdict(wishes))
    options = {key: str(value) if isinstance(value, Path) else value for key, value in options.items()}
    before = check_place(out, images, masks, options)
    wishes.check()
    annotated = read_annotations(images, masks, pair=pair, classes=classes, ignore=ignore)
    names = [one.name for one in annotated.pictures]
    if len(names) < 2:
        raise ValueError(f"a picture to train on and another to validate on are needed, found {len(names)} with labels")
    groups = groups_of(names, expression) if expression else [None] * len(names)
    given = given_lists(names) if (val, test, group_by) == (None, 0, None) else None
    content = content_of(annotated, link)
    if before is not None:
        check_same(out, before, content)
        return None
    files = [one.image for one in annotated.pictures]
    layout = Layout.of(names, files, list(in_threads(usual_suffix, files, "Looking at the pictures")))
    parent = next(path for path in out.absolute().parents if path.is_dir())
    if not link:
        _check_room(parent, files)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=parent) as temporary:
            root = Path(temporary, "set")
            pictures = write_pictures(root, annotated, layout, link)
            annotated, pictures, unused = drop_unused(root, annotated, layout, pictures)
            common = common_bands(pictures, bands)
            if given:
                _check_given(names, given, pictures)
                lists = given
            else:
                units = joined(groups, [one.content for one in pictures])
                lists = split([one.classes for one in pictures], units, shares, seed)
            missing = {name: _missing(annotated.classes, pictures, lists, name) for name in dict.fromkeys(lists)}
            if missing["train"]:
                what = f"no picture is left to train {summarize(missing['train'])} on"
                raise ValueError(f"{what}: give more pictures, smaller groups, or another --seed")
            layout.write_lists(root, lists)
            facts = facts_of(annotated, pictures, lists, common, layout.image_suffix)
            trained = [layout.labels(root, index) for index, name in enumerate(lists) if name == "train"]
            facts = replace(facts, ceilings=label_ceilings(trained, len(facts.classes)))
            choices = choose(facts, wishes)
            for name, text in config_files(facts, choices).items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode() if isinstance(text, str) else text)
            write_record(root, content, options)
            if out.is_dir():
                out.rmdir()  # empty, as was checked
            out.parent.mkdir(parents=True, exist_ok=True)
            root.rename(out)
    except OSError as error:
        cause = error.__cause__ if isinstance(error, CannotWriteError) else error
        if isinstance(cause, OSError) and cause.errno in NO_ROOM:
            raise CannotWriteError(out, f"{cause.strerror}; make room, or give another directory") from error
        raise
    remarks = [*annotated.remarks, *([unused] if unused else [])]
    remarks += [f"{name} has no picture with {summarize(found)}" for name, found in missing.items() if found]
    if given:
        remarks.append("the lists are those of the folders that pictures are in; --val 0.2 draws new ones")
    remarks += _remarks(layout, annotated, pictures, groups, common)
    return NewDataset(out, annotated, layout.names, tuple(lists), tuple(pictures), facts, choices, tuple(remarks))


def _check_given(names: Sequence[str], lists: Sequence[str], pictures: Sequence[Measured]) -> None:
    """Check that no picture is in two of the lists that the folders of a user make."""
    first: dict[str, int] = {}
    twice = []
    for index, picture in enumerate(pictures):
        before = first.setdefault(picture.content, index)
        if lists[before] != lists[index]:
            twice.append(f"{names[before]} = {names[index]}")
    if twice:
        raise ValueError(
            f"the same picture is in the folders of several lists: {summarize(twice)}. Remove one of them, or give"
            " --val 0.2, which draws new lists"
        )


def _shares(val: float, test: float, seed: int) -> dict[str, float]:
    if not 0 < val < 1 or not 0 <= test < 1 or val + test >= 1:
        raise ValueError(f"--val and --test are shares of the pictures, such as 0.2, and leave some, got {val}, {test}")
    if seed < 0:
        raise ValueError(f"the seed must be >= 0, got {seed}")
    return dict(train=1 - val - test, val=val) | ({"test": test} if test else {})


def _check_room(parent: Path, files: Sequence[Path]) -> None:
    needed, free = sum(file.stat().st_size for file in files) * SIZE_OF_LABELS, shutil.disk_usage(parent).free
    if needed > free:
        raise CannotWriteError(
            parent, f"the pictures need {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free: --link copies none"
        )


def _missing(classes: Sequence[str], pictures: Sequence[Measured], lists: Sequence[str], name: str) -> list[str]:
    """The classes that no picture of a list has."""
    there = set().union(*(picture.classes for picture, other in zip(pictures, lists) if other == name))
    return [one for index, one in enumerate(classes) if index not in there]


def _remarks(
    layout: Layout, annotated: AnnotatedSet, pictures: Sequence[Measured], groups: Sequence[str | None], bands: int
) -> list[str]:
    """What was done besides what the user asked for."""
    names = [one.name for one in annotated.pictures]
    found = []
    if alone := [name for name, group in zip(names, groups) if group is None and any(groups)]:
        found.append(
            f"--group-by finds nothing in {len(alone)} names, each of which is split alone: {summarize(alone)}"
        )
    if renamed := [f"{old} is {new}" for old, new in zip(names, layout.names) if old != new]:
        found.append(f"names with spaces or other signs that make trouble were changed: {summarize(renamed)}")
    if rewritten := [one.image.name for one, anew in zip(annotated.pictures, layout.rewritten) if anew]:
        found.append(f"pictures written anew as PNG, without loss: {len(rewritten)} ({summarize(rewritten)})")
    if any(one.alpha for one in pictures) and bands == 3:
        found.append("the transparency of pictures is left out; --bands 4 takes it for a band")
    same: dict[str, list[int]] = {}
    for index, one in enumerate(pictures):
        same.setdefault(one.content, []).append(index)
    several = [indices for indices in same.values() if len(indices) > 1]
    twice = [" = ".join(names[index] for index in indices) for indices in several]
    if twice:
        found.append(f"pictures that are there more than once stay in one list: {len(twice)} ({summarize(twice)})")
    labels = [{pictures[index].labels for index in indices} for indices in several]
    if contradicting := [text for text, different in zip(twice, labels) if len(different) > 1]:
        found.append(f"of these, with different labels: {len(contradicting)} ({summarize(contradicting)})")
    return found
