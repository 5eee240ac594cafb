"""Annotations of labelme: a JSON file with shapes for each picture."""

from __future__ import annotations

import base64
import io
from math import hypot
from pathlib import PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...utils.text import summarize
from .assembling import Annotation, Annotations
from .drawing import Drawing
from .regions import Bitmap, Polygons, Region, Strokes, box, ellipse, points_of
from .selection import IGNORED_CODE
from .source import Source, read_each, reading

LINE_WIDTH = POINT_WIDTH = 10  #: pixels: how labelme's own tool draws what has no area
IGNORE = "__ignore__"  #: the label that labelme has for what is ignored
CORNERED = (None, "", "polygon", "oriented_rectangle", "rotation", "quadrilateral")


def is_labelme(content: object) -> bool:
    """Whether the content of a JSON file has labelme's form."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list) and "imagePath" in content


def read_labelme(source: Source, names: list[str]) -> Annotations:
    """Read the JSON files of labelme among some of these names.

    Shapes are drawn in the order of the file, later ones over earlier ones, lines 10 pixels wide and points as discs of
    10 pixels, as labelme's tool does. Other shapes have the pixels with their centre inside, as in all forms; that tool
    paints the outline as well, up to a pixel more on each side. Classes are in the order of a ``labels.txt`` beside the
    files, if there is one, else of their names. The label ``__ignore__`` is ignored.

    Raises:
        ValueError: saying what is wrong with the files, all in one.
    """

    def read(name: str) -> tuple[str, list[tuple[str, Region]], tuple[int, int] | None, bool] | None:
        content = source.read_json(name)
        if not is_labelme(content):
            return None
        with reading(source.where(name)):
            shapes = []
            for number, shape in enumerate(content["shapes"], 1):
                with reading(f"shape {number}"):
                    shapes.append((str(shape["label"]), _region(shape)))
            size = [content.get(key) for key in ("imageHeight", "imageWidth")]
            size = tuple(map(int, size)) if all(size) else None
            return str(content["imagePath"]), shapes, size, bool(content.get("imageData"))

    contents = dict(zip(names, read_each(read, names)))
    others = [name for name in names if contents[name] is None]
    contents = {name: content for name, content in contents.items() if content}
    labels = sorted({label for _, shapes, _, _ in contents.values() for label, _ in shapes} - {IGNORE})
    classes = list(dict.fromkeys([*_declared(source), *labels]))
    codes = {name: code for code, name in enumerate(classes)} | {IGNORE: IGNORED_CODE}
    remarks = [f"JSON files that are not labelme's: {len(others)}, {summarize(others)}"] if others else []
    thin = sum(isinstance(region, Strokes) for _, shapes, _, _ in contents.values() for _, region in shapes)
    if thin:
        remarks.append(f"lines and points, drawn {LINE_WIDTH} pixels wide, as labelme does: {thin}")
    missing = "give the folder that has them"
    if embedded := sum(content[3] for content in contents.values()):
        missing += f"; {embedded} are inside of the JSON files (imageData): save them as files"
    pictures = [
        Annotation(
            (str(PurePosixPath(name).parent / path.replace("\\", "/")), path, name),
            Drawing(tuple((codes[label], region) for label, region in shapes), source.where(name)),
            size,
            source.file(name),
        )
        for name, (path, shapes, size, _) in contents.items()
    ]
    return Annotations("labelme annotations", classes, pictures, remarks=remarks, missing=missing)


def _declared(source: Source) -> list[str]:
    """Classes from a ``labels.txt``, as ``labelme --labels`` takes it."""
    names = [name for name in source.names if name.split("/")[-1] == "labels.txt"]
    lines = source.read(names[0]).decode("utf-8-sig", errors="replace").splitlines() if names else []
    return [line.strip() for line in lines if line.strip() not in ("", IGNORE)]


def _region(shape: dict) -> Region:
    kind, points = shape.get("shape_type"), points_of(shape["points"])
    if kind in CORNERED or (kind == "rectangle" and len(points) == 4):
        return Polygons((points,))
    if kind in ("line", "linestrip"):
        return Strokes(points, LINE_WIDTH, joined=True)
    if kind in ("point", "points"):
        return Strokes(points, POINT_WIDTH, joined=False)
    if kind not in ("rectangle", "circle", "mask"):
        raise ValueError(f"a {kind!r}, which is not known")
    if len(points) != 2:
        raise ValueError(f"a {kind} of {len(points)} points, expected 2")
    (x, y), (other_x, other_y) = points
    if kind == "rectangle":
        return box(min(x, other_x), min(y, other_y), max(x, other_x), max(y, other_y))
    if kind == "circle":
        radius = hypot(other_x - x, other_y - y)
        return ellipse(x, y, radius, radius)
    try:
        with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as picture:
            return Bitmap(np.array(picture.convert("L")) > 0, top=int(y), left=int(x))
    except UnidentifiedImageError as error:
        raise ValueError("its mask is no picture") from error
