"""CVAT's export ``CVAT for images 1.1``: shapes of many pictures in one XML file."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from .assembling import Annotation, Annotations
from .drawing import Drawing
from .palette import Colour
from .regions import Polygons, Region, Runs, box, ellipse, points_of
from .source import Source, reading

WITHOUT_AREA = ("points", "polyline", "cuboid", "skeleton")


def is_cvat(root: Element) -> bool:
    """Whether the root of an XML file is of CVAT's form."""
    return root.tag == "annotations" and any(root.find(tag) is not None for tag in ("image", "track", "meta"))


def read_cvat_xml(source: Source, file: str, root: Element) -> Annotations:
    """Read polygons, boxes, ellipses and masks.

    They are drawn by their ``z_order``, those of the same in the order of the file. The classes are in the order of the
    labels of the task, with their colours. Points, lines, cuboids and skeletons have no area and are left out.

    Raises:
        ValueError: for the annotations of a video, and what is wrong in the file.
    """
    where = source.where(file)
    if root.find("track") is not None:
        raise ValueError(f"{where} is of a video: export it as 'CVAT for images 1.1', or as 'Segmentation mask 1.1'")
    colours = {}
    for label in root.iter("label"):
        if name := label.findtext("name"):
            colours.setdefault(name, _colour(label.findtext("color") or ""))
    names = {name: position for position, name in enumerate(colours)}
    pictures, left_out = [], 0
    with reading(where):
        for image in root.iter("image"):
            shapes = []
            with reading(f"image {image.attrib['name']}"):
                for shape in image:
                    left_out += shape.tag in WITHOUT_AREA
                    if region := _region(shape):
                        code = names.setdefault(shape.attrib["label"], len(names))
                        shapes.append((int(shape.get("z_order", 0)), code, region))
                objects = tuple((code, region) for _, code, region in sorted(shapes, key=lambda shape: shape[0]))
                size = int(image.attrib["height"]), int(image.attrib["width"])
            name = image.attrib["name"]
            pictures.append(Annotation((name,), Drawing(objects, f"{where}, {name}"), size, source.file(file)))
    remarks = [f"points, lines, cuboids and skeletons, which have no area, left out: {left_out}"] if left_out else []
    known = {name: colour for name, colour in colours.items() if colour}
    return Annotations("CVAT annotations", list(names), pictures, known, remarks=remarks)


def _colour(text: str) -> Colour | None:
    try:
        red, green, blue = bytes.fromhex(text.strip().removeprefix("#"))
    except ValueError:
        return None
    return red, green, blue


def _region(shape: Element) -> Region | None:
    def numbers(*keys: str) -> list[float]:
        return [float(shape.attrib[key]) for key in keys]

    degrees = float(shape.get("rotation", 0))
    if shape.tag == "polygon":
        return Polygons((points_of([point.split(",") for point in shape.attrib["points"].split(";")]),))
    if shape.tag == "box":
        return box(*numbers("xtl", "ytl", "xbr", "ybr"), degrees)
    if shape.tag == "ellipse":
        return ellipse(*numbers("cx", "cy", "rx", "ry"), degrees)
    if shape.tag == "mask":
        left, top, width, height = map(int, numbers("left", "top", "width", "height"))
        counts = tuple(map(int, shape.attrib["rle"].split(",")))
        return Runs(counts, (height, width), by_columns=False, top=top, left=left)
    return None
