"""What is told of a new data set: its pictures and classes by list, what was chosen, and how to go on."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from .measuring import IGNORED, Measured
from .new_dataset import NewDataset

LISTS = ("train", "val", "test")


def show(made: NewDataset, console: Console) -> None:
    """Print the tables of a data set, the remarks, and the next commands."""
    by_list = {
        name: [picture for picture, other in zip(made.pictures, made.lists) if other == name]
        for name in LISTS
        if name in made.lists
    }
    console.print(f"{made.out}: {made.annotated.form}", markup=False, highlight=False)
    console.print(pictures_table(by_list, made.facts.bands, made.facts.bits))
    console.print(classes_table(by_list, made.facts.classes))
    console.print(choices_table(made.choices.reasons))
    for remark in made.remarks:
        console.print(f"- {remark}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        "\n".join(["", "How to go on:", *next_commands(made.out)]), markup=False, highlight=False, soft_wrap=True
    )


def pictures_table(by_list: dict[str, list[Measured]], bands: int, bits: int) -> Table:
    """Number and sizes of the pictures of each list."""
    table = Table("list", *map(_right, ("pictures", "smallest", "median", "largest", "bands", "bits")))
    for name, pictures in by_list.items():
        sizes = sorted((picture.size for picture in pictures), key=lambda size: (np.prod(size), size))
        shown = [f"{width} x {height}" for height, width in (sizes[0], sizes[len(sizes) // 2], sizes[-1])]
        table.add_row(name, f"{len(pictures):,}", *shown, str(bands), str(bits))
    return table


def classes_table(by_list: dict[str, list[Measured]], classes: Sequence[str]) -> Table:
    """By class the pixels, their share of the labelled ones, and the pictures of each list that have it.

    Ignored pixels, if there are any, have a row of their own, and their share of all pixels.
    """
    table = Table("index", "class", *map(_right, ("pixels", "share", *(f"in {name}" for name in by_list))))
    counts = sum((Counter(picture.pixels) for pictures in by_list.values() for picture in pictures), Counter())
    ignored = [(IGNORED, "(ignored, of all)")] if counts[IGNORED] else []
    for index, name in [*enumerate(classes), *ignored]:
        of = counts.total() - counts[IGNORED] * (index != IGNORED)
        having = [sum(index in picture.pixels for picture in pictures) for pictures in by_list.values()]
        cells = f"{counts[index]:,}", f"{counts[index] / max(1, of):.2%}", *(f"{number:,}" for number in having)
        table.add_row(str(index), escape(name), *cells)
    return table


def choices_table(reasons: Sequence[tuple[str, object, str]]) -> Table:
    """Each setting, its value, and why."""
    table = Table("setting", "value", "why")
    for setting, value, reason in reasons:
        table.add_row(escape(setting), escape(str(value)), escape(reason))
    return table


def next_commands(out: Path) -> list[str]:
    """The commands that train, test, predict and report, for a shell."""
    config, work_dir = shlex.quote(str(out / "config.py")), shlex.quote(str(out / "work_dir"))
    best = f"{work_dir}/best_*.pth"  # the config keeps one
    return [
        f"fcn train {config}",
        f"fcn test {config} {best}",
        f"fcn predict PICTURES {config} {best} --out predicted",
        f"fcn report {work_dir}",
    ]


def _right(heading: str) -> Column:
    return Column(heading, justify="right")
