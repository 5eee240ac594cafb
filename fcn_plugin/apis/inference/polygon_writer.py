"""Predictions as polygons: GeoJSON for maps, COCO JSON for annotation tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...utils.files import atomic_write
from ...utils.geo import Place, place_of
from .outputs import class_places
from .polygons import Area, areas, signed_area

GEOJSON, COCO = "geojson", "coco"


class PolygonWriter:
    """Writes the areas of the classes as polygons, whose corners are at edges of pixels (:class:`.polygons.Area`).

    - ``OUT/geojson/NAME.geojson``: an area each, with ``class``, ``index`` as in the files of labels, and ``pixels``.
      In the coordinates of a GeoTIFF, with its EPSG number as ``crs``, else in pixels, (0, 0) at the upper left corner.
    - ``OUT/coco.json``: of all pictures, written by :meth:`finish`. Areas with holes are run lengths, as COCO's
      polygons have none; numbers of categories are those of the classes, from 1 on.

    While the areas of a picture are looked for, its labels are in memory, with some 6 bytes for each pixel.

    Args:
        out (str | Path): directory of the predictions.
        classes (Sequence[str]): names of the classes.
        kinds (Sequence[str]): of ``geojson`` and ``coco``.
        chosen (Sequence[str], optional): names of the classes that are wanted; by default all.
        reduced (bool): labels have the first class as 1 in their files.

    Raises:
        ValueError: for an unknown class.
    """

    def __init__(
        self,
        out: str | Path,
        classes: Sequence[str],
        kinds: Sequence[str] = (GEOJSON, COCO),
        chosen: Sequence[str] | None = None,
        reduced: bool = False,
    ) -> None:
        self.out, self.classes, self.kinds, self._reduced = Path(out), list(classes), tuple(kinds), int(reduced)
        self._wanted = class_places(classes, chosen)
        self._images: list[dict] = []
        self._annotations: list[dict] = []

    def write(self, name: str, file_name: str, labels: np.ndarray, geo_tags: Sequence[tuple] = ()) -> None:
        """Add the areas of a picture.

        Args:
            name (str): of its files, without a suffix; it may have folders.
            file_name (str): of the picture itself, for COCO.
            labels (np.ndarray): its class indices, uint8 (H, W).
            geo_tags (Sequence[tuple]): where on the earth it lies.

        Raises:
            CannotWriteError: if it cannot be written.
        """
        height, width = labels.shape
        place, features = place_of(geo_tags), []
        self._images.append(dict(id=len(self._images) + 1, file_name=file_name, height=height, width=width))
        for area in areas(labels, self._wanted):
            if GEOJSON in self.kinds:
                features.append(self._feature(area, place))
            if COCO in self.kinds:
                self._annotations.append(self._annotation(area, height, width))
        if GEOJSON in self.kinds:
            crs = {}
            if place and place.epsg:
                system = dict(name=f"urn:ogc:def:crs:EPSG::{place.epsg}")
                crs = dict(crs=dict(type="name", properties=system))
            path = self.out / GEOJSON / f"{name}.geojson"
            _write(path, dict(type="FeatureCollection", **crs, features=features))

    def finish(self) -> None:
        """Write what is of all pictures.

        Raises:
            CannotWriteError: if it cannot be written.
        """
        if COCO in self.kinds:
            categories = [dict(id=index + 1, name=self.classes[index]) for index in self._wanted]
            content = dict(images=self._images, annotations=self._annotations, categories=categories)
            _write(self.out / "coco.json", content)

    def _feature(self, area: Area, place: Place | None) -> dict:
        properties = {"class": self.classes[area.index], "index": area.index + self._reduced, "pixels": area.pixels}
        rings = []
        for number, ring in enumerate([area.exterior, *area.holes]):
            points = ring.astype(float) if place is None else place.coordinates(ring)
            if (signed_area(points) < 0) == (number == 0):  # RFC 7946: the exterior counterclockwise, holes clockwise
                points = points[::-1]
            rings.append([*points.tolist(), points[0].tolist()])
        return dict(type="Feature", properties=properties, geometry=dict(type="Polygon", coordinates=rings))

    def _annotation(self, area: Area, height: int, width: int) -> dict:
        return dict(
            id=len(self._annotations) + 1,
            image_id=len(self._images),
            category_id=area.index + 1,
            segmentation=_run_lengths(area, height, width) if area.holes else [area.exterior.ravel().tolist()],
            area=area.pixels,
            bbox=list(area.box),
            iscrowd=0,
        )


def _run_lengths(area: Area, height: int, width: int) -> dict:
    """COCO's run lengths, not compressed: pixels outside, inside, outside and so on, down the columns one by one."""
    left, top = area.box[:2]
    columns, rows = np.nonzero(area.mask.T)
    pixels = (columns + left).astype(np.int64) * height + rows + top
    starts = pixels[np.diff(pixels, prepend=-2) != 1]
    ends = pixels[np.diff(pixels, append=height * width + 1) != 1] + 1
    changes = np.stack([starts, ends], 1).ravel()
    return dict(size=[height, width], counts=np.diff(changes, prepend=0, append=height * width).tolist())


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial, open(partial, "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False)
