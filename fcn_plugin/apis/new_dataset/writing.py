"""Writing the pictures and labels of a new data set, each of which is read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...checks.decoder_messages import DecoderMessages, damage_in
from ...datasets.annotations.annotated import AnnotatedSet
from ...evaluation.index_png import read_indices
from ...utils.progress import in_threads
from ...utils.text import first_line, summarize
from .layout import Layout
from .measuring import IGNORED, Measured, PictureError, measure
from .pictures import read_picture


def write_pictures(root: Path, annotated: AnnotatedSet, layout: Layout, link: bool) -> list[Measured]:
    """Read, measure and write all pictures and labels.

    Raises:
        ValueError: naming those that cannot be taken, and why.
    """
    problems: dict[str, list[str]] = {}
    suspects: list[Path] = []

    def handle(index: int) -> Measured | None:
        one, start = annotated.pictures[index], messages.position()
        try:
            image, labels = read_picture(one.image), one.read_labels()
            measured = measure(one.image, image, labels, len(annotated.classes))
            layout.write_image(root, index, one.image, image, link)
            layout.write_labels(root, index, labels, annotated.palette)
        except PictureError as error:
            problems.setdefault(error.kind, []).append(error.detail)
            return None
        except ValueError as error:
            problems.setdefault("pictures or labels that cannot be read", []).append(first_line(error))
            return None
        if messages.position() > start:
            suspects.append(one.image)
        return measured

    with DecoderMessages() as messages:
        indices = range(len(annotated.pictures))
        pictures = list(in_threads(handle, indices, "Writing pictures and labels", messages.terminal))
        for path in sorted(suspects):  # the message may be of another that was read at the same time
            start = messages.position()
            read_picture(path)
            if damage := damage_in(messages.since(start)):
                problems.setdefault("damaged pictures", []).append(f"{path}: {damage}")
    if problems:
        of = f" of {len(annotated.pictures)}"
        reasons = [f"{kind}: {len(found)}{of} ({summarize(sorted(found))})" for kind, found in problems.items()]
        raise ValueError("; ".join(reasons))
    return pictures


def drop_unused(
    root: Path, annotated: AnnotatedSet, layout: Layout, pictures: Sequence[Measured]
) -> tuple[AnnotatedSet, list[Measured], str | None]:
    """Leave out classes that occur in no picture, which nothing could be trained on, and number the others again.

    Args:
        root (Path): of the data set, which has the labels.
        annotated (AnnotatedSet): its classes.
        layout (Layout): its files.
        pictures (Sequence[Measured]): all of them.

    Returns:
        tuple: the set and the pictures without these classes, and what to say of it, if there are any.

    Raises:
        ValueError: if fewer than two classes occur.
    """
    used = sorted(set().union(*(picture.classes for picture in pictures)))
    names = [annotated.classes[index] for index in used]
    if len(used) < 2:
        only = f"only {names[0]} occurs in the labels" if names else "no pixel of the labels has a class"
        raise ValueError(f"{only} ({annotated.form}): two classes are needed, background may be one of them")
    unused = [name for name in annotated.classes if name not in names]
    if not unused:
        return annotated, list(pictures), None
    numbers = np.full(IGNORED + 1, IGNORED, np.uint8)
    numbers[used] = range(len(used))
    colours = tuple(annotated.palette[index] for index in used)

    def renumber(index: int) -> Measured:
        labels = read_indices(layout.labels(root, index))
        layout.write_labels(root, index, numbers[labels], colours)
        pixels = {int(numbers[old]): count for old, count in pictures[index].pixels.items()}
        return replace(pictures[index], pixels=pixels)

    renumbered = list(in_threads(renumber, range(len(pictures)), "Numbering the classes"))
    text = f"classes that occur in no picture are left out: {summarize(unused, 10)}"
    return replace(annotated, classes=tuple(names), palette=colours), renumbered, text
