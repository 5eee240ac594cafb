"""Label Studio's export as JSON (or JSON-MIN): tasks with brushes, polygons, rectangles and ellipses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import numpy as np

from ...utils.text import summarize
from .assembling import Annotation, Annotations
from .drawing import Drawing
from .label_studio_brush import BrushRuns
from .named_pictures import spellings
from .pairing_files import PICTURES
from .regions import Polygons, Region, box, ellipse, points_of
from .source import Source, reading

FORM = "Label Studio annotations"
UPLOADED = re.compile(r"(.*/)?[0-9a-f]{8}-([^/]+)")  #: a name of a picture behind what Label Studio puts before it


def is_label_studio(content: object) -> bool:
    """Whether the content of a JSON file is a list of tasks."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(task, dict) for task in content)
        and (
            all("data" in task and "annotations" in task for task in content)
            or all("id" in task and "annotator" in task for task in content)
        )
    )


def read_label_studio(source: Source, documents: Mapping[str, list[dict]]) -> Annotations:
    """Read the tasks of JSON files, by their names.

    Regions are drawn in their order, later ones over earlier ones. Of several annotations of a task the newest counts,
    cancelled ones do not. The classes are in the order of their names.

    Raises:
        ValueError: saying what is wrong with a task.
    """
    tasks, remarks = [], Counter()
    for file, content in documents.items():
        for number, task in enumerate(content, 1):
            with reading(f"{source.where(file)}, task {task.get('id', number)}"):
                where = f"{source.where(file)}, task {task.get('id', number)}"
                results = _results(task, remarks)
                if results is not None:
                    tasks.append((_pictures(task), *_regions(results, remarks), where, source.file(file)))
    names = sorted({label for _, regions, _, _, _ in tasks for label, _ in regions})
    codes = {name: code for code, name in enumerate(names)}
    pictures = [
        Annotation(candidates, Drawing(tuple((codes[label], region) for label, region in regions), where), size, file)
        for candidates, regions, size, where, file in tasks
    ]
    return Annotations(FORM, names, pictures, remarks=[f"{what}: {count}" for what, count in remarks.items()])


def _results(task: dict, remarks: Counter) -> list[dict] | None:
    """The regions of the annotation that counts; None if there is none."""
    if "annotations" not in task:  # JSON-MIN: lists of regions beside the picture, without a type
        lists = (value for value in task.values() if isinstance(value, list))
        return [{**value, "value": value} for values in lists for value in values if "original_width" in value]
    done = [annotation for annotation in task["annotations"] if not annotation.get("was_cancelled")]
    if not done:
        remarks["tasks without an annotation, left out"] += 1
        return None
    if len(done) > 1:
        remarks["tasks with several annotations, of which the newest is taken"] += 1
    return max(done, key=lambda annotation: annotation.get("id") or 0)["result"]


def _pictures(task: dict) -> tuple[str, ...]:
    """Names that the picture may have."""
    texts = [value for value in task.get("data", task).values() if isinstance(value, str)]
    texts = [text for text in texts if any(PurePosixPath(name).suffix.lower() in PICTURES for name in spellings(text))]
    if not texts:
        raise ValueError("its data names no picture")
    names = [texts[0], task["file_upload"]] if isinstance(task.get("file_upload"), str) else [texts[0]]
    return tuple(name for given in names for name in (given, *_without_prefix(given)))


def _without_prefix(name: str) -> Iterator[str]:
    if match := UPLOADED.fullmatch(name):
        yield match[2]


def _regions(results: list[dict], remarks: Counter) -> tuple[list[tuple[str, Region]], tuple[int, int] | None]:
    """Label and region of each result, and (height, width) of the picture."""
    labels = {result.get("id"): _labels(result.get("value", {})) for result in results if "value" in result}
    labels = {key: label for key, label in labels.items() if label and key}
    regions, size = {}, None
    for number, result in enumerate(results):
        if "original_width" not in result:  # not of a picture
            continue
        if degrees := result.get("image_rotation"):
            raise ValueError(f"the picture was turned by {degrees} degrees: save it so, and annotate it")
        size = int(result["original_height"]), int(result["original_width"])
        label = _labels(result["value"]) or labels.get(result.get("id"))
        if (region := _region(result["value"], size)) and label:
            regions[result.get("id", number)] = label, region  # it occurs twice if its label has a type of its own
        elif region or label:
            remarks["regions without area or label, left out"] += 1
    return list(regions.values()), size


def _labels(value: dict) -> str | None:
    found = [names for key, names in value.items() if key.endswith("labels") and isinstance(names, list) and names]
    if found and len(found[0]) > 1:
        raise ValueError(f"a region has several labels, {summarize(found[0])}: a pixel has one class")
    return str(found[0][0]) if found else None


def _region(value: dict, size: tuple[int, int]) -> Region | None:
    height, width = size
    percent = np.array([width, height]) / 100
    degrees = float(value.get("rotation", 0))
    if "rle" in value:
        return BrushRuns(bytes(list(value["rle"])), size)
    if "points" in value:
        return Polygons((points_of(value["points"]) * percent,))
    if "radiusX" in value:
        (x, y), (radius_x, radius_y) = (
            points_of([(value["x"], value["y"]), (value["radiusX"], value["radiusY"])]) * percent
        )
        return ellipse(x, y, radius_x, radius_y, degrees)
    if "width" in value and "height" in value:
        (left, top), (wide, high) = points_of([(value["x"], value["y"]), (value["width"], value["height"])]) * percent
        return box(left, top, left + wide, top + high, degrees, (left, top))
    return None
