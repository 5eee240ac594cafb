import json

import numpy as np
import pytest
from testing.inference_files import files_below

from fcn_plugin.apis.inference.polygon_writer import PolygonWriter
from fcn_plugin.apis.inference.polygons import areas, signed_area
from fcn_plugin.utils.geo import place_of


def inside(rings, size):
    """Which pixels' centres are inside of an odd number of rings: (H, W)."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    odd = np.zeros(size, bool)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0)):
            if y0 != y1:
                odd ^= ((y0 > y) != (y1 > y)) & (x < x0)
                assert x0 == x1  # every side is along an edge of pixels
    return odd


@pytest.mark.parametrize("size, share", [((1, 1), 0), ((12, 17), 0.3), ((30, 20), 0.6), ((25, 25), 0.5)])
def test_polygons_are_the_pixels(size, share):
    """All pixels of an area and no others, with holes, also where areas touch at corners."""
    labels = (np.random.default_rng(0).random(size) < share).astype(np.uint8)
    labels[: size[0] // 2] *= 2
    found = np.full(size, 255)
    for area in areas(labels, [0, 1, 2]):
        rings = [area.exterior, *area.holes]
        mask = inside(rings, size)
        assert (found[mask] == 255).all() and (labels[mask] == area.index).all()
        found[mask] = area.index
        assert mask.sum() == area.pixels == area.mask.sum()
        left, top, width, height = area.box
        assert np.array_equal(mask[top : top + height, left : left + width], area.mask)
        assert abs(signed_area(area.exterior)) - sum(abs(signed_area(hole)) for hole in area.holes) == area.pixels
    assert np.array_equal(found, labels)


def test_corners_alone():
    labels = np.zeros((9, 9), np.uint8)
    labels[2:7, 1:8] = 3
    labels[4, 4] = 0
    (area,) = areas(labels, [3])
    assert sorted(map(tuple, area.exterior.tolist())) == [(1, 2), (1, 7), (8, 2), (8, 7)]
    assert sorted(map(tuple, area.holes[0].tolist())) == [(4, 4), (4, 5), (5, 4), (5, 5)]
    assert [one.pixels for one in areas(labels, [0], least=2)] == [81 - 35]


TAGS = [
    (33550, 12, 3, (0.5, 0.25, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 400.0, 900.0, 0.0), True),
    (34735, 3, 8, (1, 1, 0, 1, 3072, 0, 1, 32633), True),
]


def example():
    labels = np.zeros((9, 11), np.uint8)
    labels[2:7, 1:8] = 2
    labels[4, 4] = 0
    return labels


@pytest.mark.parametrize("reduced", [False, True])
def test_geojson(reduced, tmp_path):
    """In pixels, or in the coordinates of a GeoTIFF; the exterior runs counterclockwise, holes clockwise."""
    writer = PolygonWriter(tmp_path, ["a", "b", "c"], ["geojson"], ["c"], reduced)
    writer.write("d/x", "d/x.tif", example())
    writer.write("y", "y.tif", example(), TAGS)
    writer.finish()
    assert files_below(tmp_path) == {"geojson/d/x.geojson", "geojson/y.geojson"}
    plain, placed = (json.loads((tmp_path / f"geojson/{name}.geojson").read_text()) for name in ("d/x", "y"))
    assert "crs" not in plain and placed["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32633"
    for collection in (plain, placed):
        (feature,) = collection["features"]
        assert feature["properties"] == {"class": "c", "index": 2 + reduced, "pixels": 34}
        exterior, hole = map(np.array, feature["geometry"]["coordinates"])
        assert np.array_equal(exterior[0], exterior[-1]) and np.array_equal(hole[0], hole[-1])
        assert signed_area(exterior[:-1]) > 0 > signed_area(hole[:-1])
    assert {tuple(point) for point in hole.tolist()} == {(402, 899), (402.5, 899), (402, 898.75), (402.5, 898.75)}


def test_coco(tmp_path):
    """One file of all pictures; areas with holes are run lengths, which are their pixels."""
    writer = PolygonWriter(tmp_path, ["a", "b", "c"], ["coco"])
    writer.write("x", "x.png", example())
    writer.write("y", "y.png", np.ones((3, 4), np.uint8))
    writer.finish()
    found = json.loads((tmp_path / "coco.json").read_text())
    assert found["images"][1] == dict(id=2, file_name="y.png", height=3, width=4)
    assert found["categories"] == [dict(id=1, name="a"), dict(id=2, name="b"), dict(id=3, name="c")]
    assert [one["id"] for one in found["annotations"]] == [1, 2, 3, 4]
    assert found["annotations"][3] == dict(
        id=4, image_id=2, category_id=2, segmentation=found["annotations"][3]["segmentation"], area=12,
        bbox=[0, 0, 4, 3], iscrowd=0,
    )  # fmt: skip
    (polygon,) = found["annotations"][3]["segmentation"]
    assert {tuple(point) for point in np.reshape(polygon, (4, 2)).tolist()} == {(0, 0), (0, 3), (4, 0), (4, 3)}
    for annotation in found["annotations"][:3]:
        runs = annotation["segmentation"]
        if isinstance(runs, dict):
            mask = np.repeat(np.arange(len(runs["counts"])) % 2, runs["counts"]).reshape(11, 9).T
            assert runs["size"] == [9, 11] and mask.sum() == annotation["area"]
            assert np.unique(example()[mask == 1]).tolist() == [annotation["category_id"] - 1]
    assert sum(isinstance(one["segmentation"], dict) for one in found["annotations"]) == 2


@pytest.mark.parametrize("point", [False, True])
def test_place(point):
    """Of a matrix, and where positions are those of centres."""
    keys = (34735, 3, 8, (1, 1, 0, 1, 1025, 0, 1, 2 if point else 1), True)
    place = place_of([(34264, 12, 16, (0, 2, 0, 10, -4, 0, 0, 20, *[0] * 7, 1), True), keys])
    assert place.epsg is None
    expected = np.array([[10, 20], [12, 16]]) - (np.array([1, -2]) if point else 0)
    assert np.array_equal(place.coordinates(np.array([[0, 0], [1, 1]])), expected)
    assert place_of([keys]) is None and place_of([]) is None
