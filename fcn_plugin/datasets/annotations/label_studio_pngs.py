"""Label Studio's export of brushes as PNG: ``task-1-annotation-2-by-1-tag-CLASS-0.png``, one for each region."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from .assembling import Annotation, Annotations
from .label_studio import FORM
from .named_pictures import NamedPictures
from .selection import UNLABELLED_CODE
from .source import Source, read_each
from .source_masks import mask_size, open_mask

#: The name of the control, ``tag`` in Label Studio's own templates, has no hyphen here; that of a class may have some.
NAME = re.compile(
    r"task-(?P<task>\d+)-(?:annotation|completion)-(?P<annotation>\d+)(?:-by-[^-]+)?-(?P<control>[^-]+)-(?P<label>.+)"
    r"-(?P<number>\d+)\.png"
)
HINT = "put the export as JSON into the folder of the PNGs, it names the pictures"


def find_label_studio_pngs(source: Source) -> dict[str, re.Match]:
    """The masks, and what their names say."""
    matches = {name: NAME.fullmatch(PurePosixPath(name).name) for name in source.names}
    return {name: match for name, match in matches.items() if match}


def read_label_studio_pngs(source: Source, masks: dict[str, re.Match], images: Path) -> Annotations:
    """Read the masks; every value but 0 belongs to a region. The classes are in the order of their names.

    The names have numbers of tasks in place of pictures. They are matched with pictures that are called ``1``,
    ``task-1`` or ``task_1``, else in order, as Label Studio numbers the files of an upload, if there are as many. Of
    several annotations of a task the newest counts; of several regions of a pixel the last in the order of names.

    Raises:
        ValueError: if the pictures of the tasks cannot be told, or masks cannot be read.
    """
    files = [source.file(name) for name in masks]
    names = sorted({match["label"] for match in masks.values()})
    tasks: dict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, match in masks.items():
        tasks[int(match["task"])][int(match["annotation"])].append(name)
    pictures, how = _pictures(sorted(tasks), NamedPictures(images, files).names)
    remarks = [f"the PNGs name tasks, not pictures; {how}. If that is wrong, {HINT}"]
    if several := sum(len(annotations) > 1 for annotations in tasks.values()):
        remarks.append(f"tasks with several annotations, of which the newest is taken: {several}")

    def read(task: int) -> Annotation:
        layers = sorted(
            tasks[task][max(tasks[task])], key=lambda name: (masks[name]["label"], int(masks[name]["number"]))
        )
        drawing = Layers(source, tuple((names.index(masks[name]["label"]), name) for name in layers))
        return Annotation((pictures[task],), drawing, mask_size(source, layers[0]), source.file(layers[0]))

    return Annotations(FORM, names, read_each(read, sorted(tasks)), masks=files, remarks=remarks)


def _pictures(tasks: Sequence[int], names: Sequence[str]) -> tuple[dict[int, str], str]:
    """The picture of each task, and how they were found."""
    by_stem = defaultdict(list)
    for name in names:
        by_stem[PurePosixPath(name).stem].append(name)
    named = {task: [n for stem in (f"{task}", f"task-{task}", f"task_{task}") for n in by_stem[stem]] for task in tasks}
    if all(len(found) == 1 for found in named.values()):
        return {task: found[0] for task, found in named.items()}, "they are matched by the numbers"
    if len(names) != len(tasks):
        raise ValueError(f"{FORM}: the PNGs name {len(tasks)} tasks, and there are {len(names)} pictures: {HINT}")
    natural = sorted(names, key=lambda name: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)])
    if natural != sorted(names):
        orders = f"{', '.join(natural[:3])} or {', '.join(sorted(names)[:3])}"
        raise ValueError(f"{FORM}: the PNGs name tasks, whose order may be {orders}: {HINT}")
    pairs = dict(zip(tasks, natural))
    return pairs, f"they are taken in order: task {tasks[0]} is {natural[0]}, task {tasks[-1]} is {natural[-1]}"


@dataclass(frozen=True)
class Layers:
    """Masks of one picture, from below to the top: position in the list of names, and file."""

    source: Source
    masks: tuple[tuple[int, str], ...]

    def __call__(self, height: int, width: int) -> np.ndarray:
        """Position in the list of names for each pixel, int16 (height, width)."""
        labels = np.full((height, width), UNLABELLED_CODE, np.int16)
        for code, name in self.masks:
            with open_mask(self.source, name) as picture:
                painted = np.array(picture.convert("L")) > 0
            if painted.shape != labels.shape:
                raise ValueError(
                    f"the mask {self.source.where(name)} is not of the size of the picture, {width}x{height}"
                )
            labels[painted] = code
        return labels
