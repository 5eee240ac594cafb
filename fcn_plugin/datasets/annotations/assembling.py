"""From what files of annotations say of pictures to an annotated set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from ...utils.images import orientation_of, size_of
from ...utils.progress import in_threads
from ...utils.text import summarize
from .annotated import AnnotatedPicture, AnnotatedSet
from .named_pictures import NamedPictures
from .pairing_files import File
from .palette import Colour, palette_of
from .read_masks import names_of
from .selection import UNLABELLED_CODE, Selection, canonical


@dataclass(frozen=True)
class Annotation:
    """What is said of one picture.

    Attributes:
        picture: its names, the first that is found counts.
        draw: gives for (height, width) the position in the list of names for each pixel, int16 (H, W), or
            ``UNLABELLED_CODE`` or ``IGNORED_CODE``.
        size: (height, width) of the picture as its annotation has it, if it says so.
        file: where this is said.
    """

    picture: tuple[str, ...]
    draw: Callable[[int, int], np.ndarray]
    size: tuple[int, int] | None
    file: Path


@dataclass(frozen=True)
class Annotations:
    """What files say, in one form.

    Attributes:
        form: what they are, in words for a user.
        names: of the classes, in their order.
        pictures: what is said of each.
        colours: of classes that have one.
        masks: pictures that are annotations, not to be taken for pictures.
        remarks: what a user should know.
        missing: what to say of pictures that are not found.
    """

    form: str
    names: Sequence[str]
    pictures: Sequence[Annotation]
    colours: Mapping[str, Colour] = field(default_factory=dict)
    masks: Collection[Path] = ()
    remarks: Sequence[str] = ()
    missing: str = "give the folder that has them"


def assemble(images: Path, annotations: Annotations, selection: Selection) -> AnnotatedSet:
    """Find the pictures of annotations, and number the classes.

    What is not labelled is class ``background``, the first, unless every pixel is labelled. Objects of classes that
    are not wanted are background, too.

    Raises:
        FileNotFoundError: if there are no pictures.
        ValueError: for names of classes that do not occur, more than 255 of them, no labelled object, or pictures that
            cannot be told from each other, are annotated twice or in another size.
    """
    pictures = NamedPictures(images, annotations.masks)
    names = [canonical(name) for name in annotations.names]
    if not names:
        raise ValueError(f"{annotations.form}: no object is labelled")
    selection.check(names)
    found, remarks = _find(pictures, annotations)
    sizes = _check_sizes(pictures, found)
    classes = selection.classes(names, lambda: _some_unlabelled(found, sizes))
    table = selection.table(names, classes)
    colours = {canonical(name): colour for name, colour in annotations.colours.items()}
    files = {File.of(images / name, images): name for name in found}
    return AnnotatedSet(
        pictures=tuple(
            AnnotatedPicture(
                name=name,
                image=file.path,
                read_labels=partial(read_labels, found[files[file]], sizes[files[file]], table),
                annotations=(found[files[file]].file,),
            )
            for file, name in names_of(files).items()
        ),
        classes=tuple(classes),
        palette=palette_of(classes, colours),
        form=annotations.form,
        remarks=(*annotations.remarks, *remarks),
    )


def read_labels(annotation: Annotation, size: tuple[int, int], table: np.ndarray) -> np.ndarray:
    """Class indices of a picture, uint8 (H, W), by a table of them for each value of its drawing."""
    return table[annotation.draw(*size)]


def _find(pictures: NamedPictures, annotations: Annotations) -> tuple[dict[str, Annotation], list[str]]:
    """The annotation of each picture, by its name, and remarks."""
    claims, missing, problems = defaultdict(list), [], defaultdict(list)
    for annotation in annotations.pictures:
        try:
            place = pictures.find(annotation.picture)
        except ValueError as error:
            problems["names of annotations that several pictures have"].append(str(error))
            continue
        if place:
            claims[place[0]].append((place[1], annotation))
        else:
            missing.append(annotation.picture[0])
    found = {}
    for name in sorted(claims):
        best = max(agreement for agreement, _ in claims[name])
        nearest_ones = [annotation for agreement, annotation in claims[name] if agreement == best]
        missing += [annotation.picture[0] for agreement, annotation in claims[name] if agreement < best]
        found[name] = nearest_ones[0]
        if len(nearest_ones) > 1:
            problems["pictures that are annotated more than once"].append(name)
    _raise(problems)
    if not found:
        raise ValueError(
            f"{annotations.form}: none of its {len(missing)} pictures is in {pictures.folder}"
            f" ({summarize(missing)}): {annotations.missing}"
        )
    remarks = []
    if missing:
        remarks.append(f"annotated pictures that are not in {pictures.folder}: {_counted(missing)}")
    if rest := [name for name in pictures.names if name not in found]:
        remarks.append(f"pictures that are not annotated, and left out: {_counted(rest)}")
    return found, remarks


def _check_sizes(pictures: NamedPictures, found: Mapping[str, Annotation]) -> dict[str, tuple[int, int]]:
    """(height, width) of each picture as it is shown."""
    sizes, problems = {}, defaultdict(list)
    paths = [str(pictures.folder / name) for name in found]
    for size, (name, annotation) in zip(in_threads(size_of, paths, "Reading sizes of pictures"), found.items()):
        sizes[name] = size[::-1] if size else annotation.size
        if sizes[name] is None:
            problems["pictures that cannot be read"].append(name)
        elif annotation.size and annotation.size != sizes[name]:
            (height, width), (rows, columns) = sizes[name], annotation.size
            turned = sizes[name] == (columns, rows) and orientation_of(str(pictures.folder / name)) > 1
            text = f"{name} is {width}x{height}{' (turned by its EXIF orientation)' if turned else ''}"
            text += f", annotated as {columns}x{rows}"
            problems["pictures of another size (width x height) than their annotation"].append(text)
    _raise(problems)
    return sizes


def _some_unlabelled(found: Mapping[str, Annotation], sizes: Mapping[str, tuple[int, int]]) -> bool:
    """Whether a pixel of a picture is not labelled; most sets have some in the first picture."""

    def has_some(name: str) -> bool:
        try:
            return bool((found[name].draw(*sizes[name]) == UNLABELLED_CODE).any())
        except ValueError:  # told by who reads all labels
            return False

    with closing(in_threads(has_some, list(found), "Looking for pixels that are not labelled")) as answers:
        return any(answers)


def _raise(problems: Mapping[str, list[str]]) -> None:
    """Raise what is wrong, in one error."""
    texts = [f"{kind}: {_counted(names)}" for kind, names in problems.items() if names]
    if texts:
        raise ValueError(texts[0] if len(texts) == 1 else "\n- ".join([f"{len(texts)} kinds of problems", *texts]))


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)}, {summarize(names)}"
