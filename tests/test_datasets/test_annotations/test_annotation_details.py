"""What forms of annotation have of their own: crowds, order, colours, names, selections of classes."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from testing import annotation_files as files
from testing.annotation_files import SCENES, corners, labels_of, save_pictures, write

from fcn_plugin.datasets.annotations.annotated import AnnotatedSet
from fcn_plugin.datasets.annotations.named_pictures import NamedPictures
from fcn_plugin.datasets.annotations.read_annotations import read_annotations
from fcn_plugin.datasets.annotations.regions import Polygons, Region, box, ellipse

SIZE = 6, 5  #: width and height of the single picture of most tests


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", SIZE).save(folder / "a.png")
    return folder


def coco(folder: Path, annotations: list[dict], **others) -> Path:
    width, height = SIZE
    named = [{"id": number, "name": name} for number, name in enumerate(("car", "road"))]
    entry = {"id": 1, "file_name": "a.png", "width": width, "height": height}
    return write(folder / "c.json", {"images": [entry], "annotations": annotations, "categories": named, **others})


def outline(category: int, *box: float, **others) -> dict:
    return {"image_id": 1, "category_id": category, "segmentation": [np.ravel(corners(*box)).tolist()], **others}


def labelme(folder: Path, *shapes: dict, **others) -> Path:
    return write(folder / "l" / "a.json", {"shapes": shapes, "imagePath": "a.png", **others}).parent


def label_studio(folder: Path, *results: dict, **others) -> Path:
    width, height = SIZE
    of_picture = {"original_width": width, "original_height": height}
    annotations = [{"id": 1, "result": [{**of_picture, **result} for result in results]}]
    task = {"id": 1, "data": {"image": "a.png"}, "annotations": annotations, **others}
    return write(folder / "s.json", [task])


def cvat(folder: Path, shapes: str) -> Path:
    width, height = SIZE
    image = f'<image id="0" name="a.png" width="{width}" height="{height}">{shapes}</image>'
    return write(folder / "v.xml", f"<annotations><version>1.1</version>{image}</annotations>")


def only(found: AnnotatedSet) -> list[list[int]]:
    (picture,) = found.pictures
    return picture.read_labels().tolist()


def rows(*lines: str) -> list[list[int]]:
    """Indices from digits; ``x`` is ignored."""
    return [[255 if digit == "x" else int(digit) for digit in line] for line in lines]


def painted(region: Region, height: int = 6, width: int = 6) -> np.ndarray:
    labels = np.zeros((height, width), np.int16)
    region.paint(labels, 1)
    return labels


def test_fill_takes_pixels_with_their_centre_inside_like_pycocotools() -> None:
    """Decoded by pycocotools 2.0.11, which draws lines in a grid of fifths: one pixel of the edge differs."""
    polygon = np.array([(1.3, 0.6), (8.2, 2.1), (6.4, 7.9), (2.7, 6.2)])
    of_pycocotools = rows(
        "0000000000",
        "0011100000",
        "0011111100",
        "0011111100",
        "0011111000",
        "0001111000",
        "0001111000",
        "0000011000",
        "0000000000",
    )
    expected = np.array(of_pycocotools)
    expected[7, 5] = 0
    np.testing.assert_array_equal(painted(Polygons((polygon,)), 9, 10), expected)
    np.testing.assert_array_equal(painted(Polygons((polygon[::-1],)), 9, 10), expected)


def test_neighbouring_polygons_share_no_pixel_and_leave_none_out() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        middle, width, height = generator.uniform(2, 18, 2).round(1), 23, 21
        frame = np.array([(-1, -1), (width + 1, -1), (width + 1, height + 1), (-1, height + 1)], float)
        parts = [np.array([frame[side], frame[(side + 1) % 4], middle]) for side in range(4)]
        assert (sum(painted(Polygons((part,)), height, width) for part in parts) == 1).all()


def test_turned_shapes() -> None:
    turned = painted(box(1, 2, 5, 4, 90))
    np.testing.assert_array_equal(turned, painted(box(2, 1, 4, 5)))
    about_a_corner = painted(box(4, 1, 8, 3, 90, (4, 1)))
    np.testing.assert_array_equal(about_a_corner, painted(box(2, 1, 4, 5)))
    np.testing.assert_array_equal(painted(ellipse(3, 3, 3, 1, 90)), painted(ellipse(3, 3, 1, 3)))
    assert painted(ellipse(3, 3, 3, 3)).sum() == 32  # all but the corners, of three pixels each less the centres


def test_coco_ignores_crowds_and_boxes_beneath_all_objects(tmp_path: Path, images: Path) -> None:
    crowd = {"counts": [0, 15, 15], "size": [5, 6]}  # the left half
    annotations = [
        outline(0, 0, 0, 2, 1),
        outline(1, 1, 0, 4, 1),
        {"image_id": 1, "category_id": 0, "segmentation": crowd, "iscrowd": 1},
        {"image_id": 1, "category_id": 0, "segmentation": [], "bbox": [5, 3, 1, 2]},
    ]
    found = read_annotations(images, coco(tmp_path, annotations))
    assert only(found) == rows("122200", "xxx000", "xxx000", "xxx00x", "xxx00x")
    assert found.remarks == ("objects with a box but no outline, which is ignored: 1",)


def test_coco_pictures_without_objects_are_background_and_others_are_listed(tmp_path: Path, images: Path) -> None:
    Image.new("RGB", SIZE).save(images / "b.png")
    Image.new("RGB", SIZE).save(images / "c.png")
    path = coco(tmp_path, [outline(0, 0, 0, 1, 1)])
    content = json.loads(path.read_text())
    content["images"] += [{"id": 2, "file_name": "b.png"}, {"id": 3, "file_name": "gone.png"}]
    found = read_annotations(images, write(path, content))
    assert [picture.name for picture in found.pictures] == ["a", "b"]
    assert not found.pictures[1].read_labels().any()
    assert found.remarks == (
        f"annotated pictures that are not in {images}: 1, gone.png",
        "pictures that are not annotated, and left out: 1, c.png",
    )


def test_coco_categories_keep_their_order_and_colours(tmp_path: Path, images: Path) -> None:
    categories = [{"id": 7, "name": "z", "color": [1, 2, 3]}, {"id": 5, "name": "Background"}, {"id": 6, "name": "a"}]
    path = coco(tmp_path, [outline(6, 0, 0, 6, 5), outline(5, 0, 0, 1, 1)])
    content = {**json.loads(path.read_text()), "categories": categories}
    found = read_annotations(images, write(path, content))
    assert found.classes == ("background", "z", "a")
    assert found.palette == ((0, 0, 0), (1, 2, 3), (128, 0, 0))
    assert only(found) == rows("022222", *["222222"] * 4)


def test_roboflow_s_coco_export(tmp_path: Path, images: Path) -> None:
    """A file in each folder of the split; the first category is the parent of the others."""
    categories = [
        {"id": 0, "name": "things", "supercategory": "none"},
        {"id": 1, "name": "car", "supercategory": "things"},
    ]
    for folder in ("train", "valid"):
        (tmp_path / "export" / folder).mkdir(parents=True)
        Image.new("RGB", SIZE).save(tmp_path / "export" / folder / "a.png")
        path = coco(tmp_path / "export" / folder, [outline(1, 0, 0, 1 + (folder == "valid"), 1)])
        write(path, {**json.loads(path.read_text()), "categories": categories})
        path.rename(path.with_name("_annotations.coco.json"))
    found = read_annotations(tmp_path / "export", tmp_path / "export")
    assert found.classes == ("background", "car")
    assert {picture.name: int(picture.read_labels().sum()) for picture in found.pictures} == {
        "train/a": 1,
        "valid/a": 2,
    }


def test_no_background_where_every_pixel_is_labelled(tmp_path: Path, images: Path) -> None:
    annotations = [outline(0, 0, 0, 3, 5), outline(1, 3, 0, 6, 5)]
    found = read_annotations(images, coco(tmp_path, annotations))
    assert found.classes == ("car", "road")
    assert only(found) == rows(*["000111"] * 5)


@pytest.mark.parametrize(
    ("options", "classes", "first_row"),
    [
        ({}, ("background", "car", "road"), "111222"),
        ({"classes": ["road", "car"]}, ("background", "road", "car"), "222111"),
        ({"classes": ["road"]}, ("background", "road"), "000111"),
        ({"classes": ["road", "background", "car"]}, ("road", "background", "car"), "222000"),
        ({"ignore": ["road"]}, ("background", "car"), "111xxx"),
        ({"ignore": ["background"]}, ("car", "road"), "000111"),
        ({"ignore": ["background"], "classes": ["car"]}, ("car",), "000xxx"),
    ],
)
def test_classes_and_ignore_choose(tmp_path: Path, images: Path, options: dict, classes: tuple, first_row: str) -> None:
    path = coco(tmp_path, [outline(0, 0, 0, 3, 1), outline(1, 3, 0, 6, 1)])
    found = read_annotations(images, path, **options)
    assert (found.classes, only(found)[0]) == (classes, rows(first_row)[0])
    unlabelled = 255 if "background" in options.get("ignore", ()) else classes.index("background")
    assert only(found)[1] == [unlabelled] * 6


def test_labelme_shapes(tmp_path: Path, images: Path) -> None:
    found = read_annotations(
        images,
        labelme(
            tmp_path,
            {"label": "z", "points": [[0, 0], [6, 1]], "shape_type": "rectangle"},
            {"label": "a", "points": [[3, 3], [3, 4.4]], "shape_type": "circle"},
            {"label": "__ignore__", "points": corners(0, 4, 1, 5)},
            {"label": "_background_", "points": corners(0, 0, 1, 1), "shape_type": None},
        ),
    )
    assert found.classes == ("background", "a", "z")
    assert only(found) == rows("022222", "000000", "001100", "001100", "x00000")


def test_labelme_draws_lines_and_points_as_wide_as_its_own_tool(tmp_path: Path) -> None:
    images = tmp_path / "pictures"
    images.mkdir()
    Image.new("RGB", (60, 40)).save(images / "a.png")
    line = {"label": "line", "points": [[10, 20], [50, 20]], "shape_type": "linestrip"}
    point = {"label": "point", "points": [[30.5, 30.5]], "shape_type": "point"}
    write(tmp_path / "l" / "labels.txt", "__ignore__\n_background_\npoint\nline\n")
    found = read_annotations(images, labelme(tmp_path, line, point))
    assert found.classes == ("background", "point", "line")
    labels = found.pictures[0].read_labels()
    assert np.flatnonzero(labels[:, 15] == 2).tolist() == list(range(15, 26))
    assert labels[30, 25:36].tolist() == [1] * 11 and labels[30, [24, 36]].tolist() == [0, 0]
    assert "lines and points, drawn 10 pixels wide, as labelme does: 2" in found.remarks


def test_label_studio_takes_the_newest_annotation_and_labels_of_their_own_type(tmp_path: Path, images: Path) -> None:
    brush = files.brush(np.eye(5, 6, dtype=bool))
    region = {"id": "r", "type": "brush", "value": {"format": "rle", "rle": brush}}
    path = label_studio(
        tmp_path, region, {"id": "r", "type": "labels", "value": {**region["value"], "labels": ["car"]}}
    )
    content = json.loads(path.read_text())
    content[0]["annotations"] += [
        {"id": 9, "was_cancelled": True, "result": []},
        {**content[0]["annotations"][0], "id": 5},
    ]
    content[0]["annotations"][0] = {"id": 3, "result": []}
    content.append({"id": 2, "data": {"image": "b.png"}, "annotations": []})
    found = read_annotations(images, write(path, content))
    assert only(found) == rows("100000", "010000", "001000", "000100", "000010")
    assert found.classes == ("background", "car")
    assert found.remarks == (
        "tasks with several annotations, of which the newest is taken: 1",
        "tasks without an annotation, left out: 1",
    )


def test_a_brush_of_label_studio_s_own_encoder(tmp_path: Path) -> None:
    images = tmp_path / "pictures"
    images.mkdir()
    Image.new("RGB", (3, 3)).save(images / "a.png")
    rle = [0, 0, 0, 36, 57, 27, 252, 127, 246, 192, 35, 255, 182, 1, 31, 248]  # label-studio-sdk 2.1.2, a diagonal
    result = {"original_width": 3, "original_height": 3, "value": {"rle": rle, "brushlabels": ["car"]}}
    assert only(read_annotations(images, label_studio(tmp_path, result))) == rows("100", "010", "001")


def test_cvat_shapes(tmp_path: Path, images: Path) -> None:
    shapes = (
        '<polyline label="car" points="0,0;5,5" z_order="9"/>'
        '<mask label="b" rle="1, 2, 1" left="3" top="1" width="2" height="2" z_order="1"/>'
        '<ellipse label="a" cx="4" cy="2" rx="1.2" ry="1.2" z_order="0"/><tag label="t"/>'
    )
    found = read_annotations(images, cvat(tmp_path, shapes))
    assert found.classes == ("background", "b", "a")
    assert only(found) == rows("000000", "000210", "000120", "000000", "000000")
    assert found.remarks == ("points, lines, cuboids and skeletons, which have no area, left out: 1",)


def test_cvat_masks_without_black_and_with_outlines_of_voc(tmp_path: Path, images: Path) -> None:
    folder = tmp_path / "export"
    write(folder / "labelmap.txt", "# label\nroad: part:1,2,3::\n")
    (folder / "SegmentationClass").mkdir()
    pixels = np.zeros((5, 6, 3), np.uint8)
    pixels[0], pixels[1] = (1, 2, 3), (224, 224, 192)
    Image.fromarray(pixels).quantize(8).save(folder / "SegmentationClass" / "a.png")
    found = read_annotations(images, folder)
    assert (found.classes, found.palette) == (("background", "road: part"), ((0, 0, 0), (1, 2, 3)))
    assert only(found) == rows("111111", "xxxxxx", *["000000"] * 3)


def test_exports_with_their_pictures_in_the_same_folder(tmp_path: Path) -> None:
    cvat = files.cvat_masks(tmp_path / "cvat")
    save_pictures(cvat / "JPEGImages")
    assert len(read_annotations(cvat, cvat).pictures) == len(SCENES)
    robo = files.roboflow(tmp_path / "robo")
    for mask in robo.rglob("*_mask.png"):
        Image.new("RGB", Image.open(mask).size).save(str(mask).replace("_mask.png", ".jpg"))
    found = read_annotations(robo, robo)
    assert [picture.name for picture in found.pictures][0] == "train/one_png.rf.0123abcd"
    np.testing.assert_array_equal(found.pictures[0].read_labels(), labels_of("one.png"))
    assert found.remarks == ("Roboflow's own split into train, valid is not kept",)


def test_masks_beside_json_of_other_tools(tmp_path: Path, images: Path) -> None:
    """Such as Cityscapes', whose polygons are in the masks."""
    write(tmp_path / "m" / "a_polygons.json", {"imgHeight": 5, "objects": []})
    Image.fromarray(np.eye(5, 6, dtype=np.uint8)).save(tmp_path / "m" / "a_labels.png")
    found = read_annotations(images, tmp_path / "m", classes=["no", "yes"], pair=None)
    assert (found.classes, only(found)) == (("no", "yes"), np.eye(5, 6, dtype=int).tolist())


def test_pngs_of_label_studio_by_number_and_their_doubt(tmp_path: Path) -> None:
    images, masks = save_pictures(tmp_path / "pictures"), files.label_studio_pngs(tmp_path / "s")
    (remark,) = read_annotations(images, masks).remarks
    assert remark.startswith("the PNGs name tasks, not pictures; they are taken in order: task 3 is one.png")
    for task, name in zip((3, 8, 7), sorted(SCENES)):
        (images / name).rename(images / f"{task}{Path(name).suffix}")
    Image.new("RGB", SIZE).save(images / "4.png")
    with pytest.raises(ValueError, match="7.jpg is 8x12, annotated as 10x10"):
        read_annotations(images, masks)
    (images / "7.jpg").rename(images / "9.jpg")
    with pytest.raises(ValueError, match="the PNGs name 3 tasks, and there are 4 pictures: put the export as JSON"):
        read_annotations(images, masks)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("x.jpg", "x.jpg"),
        ("C:\\data\\b\\x.jpg", "b/x.jpg"),
        ("a/x.jpg", "a/x.jpg"),
        ("https://host/p/a/x.jpg?size=3", "a/x.jpg"),
        ("/data/local-files/?d=data%2Fb%5Cx.jpg", "b/x.jpg"),
        ("s3://bucket/two%20words%2B1.png", "two words+1.png"),
        ("two words+1.png", "two words+1.png"),
        ("100%.png", "100%.png"),
        ("X.JPG", "x.jpg"),
        ("a/y.png", "a/y.tif"),
        ("y", "a/y.tif"),
        ("z.jpg", None),
        ("u\u0308.png", "ü.png"),
    ],
)
def test_names_of_pictures(tmp_path: Path, given: str, expected: str | None) -> None:
    for name in ("x.jpg", "a/x.jpg", "b/x.jpg", "a/y.tif", "two words+1.png", "100%.png", ".hidden/z.jpg", "ü.png"):
        write(tmp_path / name, "")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    found = NamedPictures(tmp_path).find([given])
    assert (found and found[0]) == expected


def test_a_set_can_be_sent_to_other_processes(tmp_path: Path) -> None:
    images = save_pictures(tmp_path / "pictures")
    for form in (files.coco_compressed, files.cvat_masks, files.roboflow, files.label_studio_pngs):
        found = pickle.loads(pickle.dumps(read_annotations(images, form(tmp_path / form.__name__))))
        np.testing.assert_array_equal(found.pictures[0].read_labels(), labels_of("one.png"))
