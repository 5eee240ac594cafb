"""Annotations of COCO: one JSON file for many pictures, with polygons and run lengths."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import PurePosixPath

import numpy as np

from .assembling import Annotation, Annotations
from .drawing import Drawing
from .palette import Colour
from .regions import Polygons, Region, Runs, box, points_of
from .selection import IGNORED_CODE
from .source import Source, read_each, reading


def is_coco(content: object) -> bool:
    """Whether the content of a JSON file has COCO's form."""
    return isinstance(content, dict) and isinstance(content.get("images"), list) and "annotations" in content


def read_coco(source: Source, documents: Mapping[str, dict]) -> Annotations:
    """Read COCO files, by their names.

    Objects are drawn in the order of the file, later ones over earlier ones, as COCO's own tools do. Crowds and what is
    marked to be ignored are ignored where no other object is, and so is the box of an object that has no outline.
    Pictures that are listed without an object are background.

    Raises:
        ValueError: saying what is wrong with a file.
    """
    names, colours, pictures = {}, {}, []
    for file, content in documents.items():
        with reading(source.where(file)):
            codes = _categories(content, names, colours)
            entries = {entry["id"]: entry for entry in content["images"]}
            by_image = defaultdict(list)
            for number, annotation in enumerate(content["annotations"], 1):
                with reading(f"annotation {number}"):
                    image = _known(entries, annotation["image_id"], "image")
                    by_image[image["id"]].append((number, annotation))
        read = partial(_read_picture, source, file, codes, by_image)
        pictures += read_each(read, list(entries.values()))
    objects = [region for picture, _ in pictures for _, region in picture.draw.objects]
    boxes = sum(number for _, number in pictures)
    if boxes and boxes == len(objects):
        raise ValueError(f"{source.path}: its {boxes} objects have boxes, but no outlines (segmentation)")
    remarks = [f"objects with a box but no outline, which is ignored: {boxes}"] if boxes else []
    annotations = [picture for picture, _ in pictures]
    return Annotations("COCO annotations", list(names), annotations, colours, remarks=remarks)


def _read_picture(source: Source, file: str, codes: dict, by_image: dict, entry: dict) -> tuple[Annotation, int]:
    """What is said of a picture, and how many of its objects have no outline."""
    below, above, boxes = [], [], 0
    with reading(source.where(file)):
        for number, annotation in by_image.get(entry["id"], ()):
            with reading(f"annotation {number}"):
                if "segments_info" in annotation:
                    raise ValueError("panoptic segments are in PNG files: give outlines, or masks of classes")
                code = _known(codes, annotation["category_id"], "category")
                region = _region(annotation.get("segmentation"))
                ignored = region is None or annotation.get("iscrowd") or annotation.get("ignore")
                if region is None:
                    left, top, width, height = map(float, annotation["bbox"])
                    region, boxes = box(left, top, left + width, top + height), boxes + 1
                (below if ignored else above).append((IGNORED_CODE if ignored else code, region))
        folder, name = PurePosixPath(file).parent, entry["file_name"]
        size = (int(entry["height"]), int(entry["width"])) if entry.get("height") and entry.get("width") else None
    drawing = Drawing((*below, *above), f"{source.where(file)}, {name}")
    candidates = (str(folder / name), name) if folder.name else (name,)
    return Annotation(candidates, drawing, size, source.file(file)), boxes


def _categories(content: dict, names: dict[str, int], colours: dict[str, Colour]) -> dict[int, int]:
    """Position in the list of names by the id of a category; new ones are added to the names."""
    used = {annotation.get("category_id") for annotation in content["annotations"]}
    parents = {category.get("supercategory") for category in content["categories"]}
    codes = {}
    for category in content["categories"]:
        name = category["name"]
        if name in parents and category["id"] not in used and category.get("supercategory") != name:
            continue  # Roboflow's first category is the name of the project, the parent of all others
        codes[category["id"]] = names.setdefault(name, len(names))
        if colour := category.get("color"):
            red, green, blue = map(int, colour)
            colours.setdefault(name, (red, green, blue))
    return codes


def _known(table: Mapping, key: object, kind: str) -> object:
    if key not in table:
        raise ValueError(f"its {kind} {key!r} is not in the file's list")
    return table[key]


def _region(segmentation: object) -> Region | None:
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        height, width = map(int, segmentation["size"])
        counts = segmentation["counts"]
        return CocoRuns(counts if isinstance(counts, str) else tuple(map(int, counts)), (height, width))
    polygons = segmentation if isinstance(segmentation[0], Sequence) else [segmentation]
    return Polygons(tuple(points_of(list(zip_longest(polygon[::2], polygon[1::2]))) for polygon in polygons))


@dataclass(frozen=True)
class CocoRuns:
    """Runs down the columns of the picture; their lengths may be compressed to a text, which is unpacked when drawn."""

    counts: str | tuple[int, ...]
    size: tuple[int, int]

    def paint(self, labels: np.ndarray, code: int) -> None:
        """Set its pixels of int16 (H, W) to a code."""
        if self.size != labels.shape:
            raise ValueError(
                f"runs for {self.size[1]}x{self.size[0]} pixels in a picture of {labels.shape[1]}x{labels.shape[0]}"
            )
        counts = uncompressed(self.counts) if isinstance(self.counts, str) else self.counts
        Runs(counts, self.size, by_columns=True).paint(labels, code)


def uncompressed(text: str) -> tuple[int, ...]:
    """Lengths of runs from COCO's text.

    Each character holds five bits of a number, the lowest first, and a sixth that says that more follow; the number is
    signed, and from the fourth on it is the difference to the last but one.
    """
    counts, number, shift = [], 0, 0
    for character in text.encode("ascii"):
        bits = character - 48
        if not 0 <= bits < 64:
            raise ValueError(f"{chr(character)!r} in compressed runs")
        number |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                number -= 1 << shift
            counts.append(number + (counts[-2] if len(counts) > 2 else 0))
            number = shift = 0
    return tuple(counts)
