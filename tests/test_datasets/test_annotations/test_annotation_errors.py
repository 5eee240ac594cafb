"""What is wrong with annotations, in one sentence each."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from testing import annotation_files as files
from testing.annotation_files import SCENES, labels_of, save_pictures, write, zipped

from fcn_plugin.datasets.annotations.read_annotations import read_annotations
from fcn_plugin.utils.images import ORIENTATION

BOMB = '<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY c "&a;&a;">]><annotations><image>&c;</image></annotations>'
COCO = {"images": [], "annotations": [], "categories": []}
FILES = {  #: content of a file, and what is said of it
    "cut.json": ('{"images": [{"id": 1, "file', "cut.json is no JSON, damaged or cut off: Unterminated string"),
    "other.json": (
        {"frames": [], "info": 1},
        "other.json is JSON of no known form, it has frames, info; expected a folder",
    ),
    "list.json": ([1, 2], "list.json is JSON of no known form, it has a list; expected"),
    "deep.json": ("[" * 100_000, "deep.json is no JSON"),
    "binary.json": (b"{\xff\xfe\x00", "binary.json is no JSON, damaged or cut off"),
    "empty.json": ("", "empty.json is of no known form"),
    "captions.json": ({**COCO, "categories": None}, "captions.json"),
    "nothing.json": (COCO, "COCO annotations: no object is labelled"),
    "unknown image": (
        {**COCO, "annotations": [{"image_id": 3, "category_id": 1}]},
        "unknown image: annotation 1: its image 3 is not in the file's list",
    ),
    "no name": ({"images": [{"id": 1}], "annotations": [], "categories": []}, "no name: there is no 'file_name'"),
    "panoptic": (
        {"images": [{"id": 1}], "annotations": [{"image_id": 1, "segments_info": []}], "categories": []},
        "annotation 1: panoptic segments are in PNG files",
    ),
    "bomb.xml": (BOMB, "bomb.xml has a <!DOCTYPE>, which no annotation tool writes: it is not read"),
    "cut.xml": ("<annotations><image", "cut.xml is no XML, damaged or cut off: unclosed token"),
    "voc.xml": ("<annotation><object/></annotation>", "voc.xml is XML of no known form, <annotation>; expected"),
    "video.xml": (
        "<annotations><meta/><track/></annotations>",
        "video.xml is of a video: export it as 'CVAT for images",
    ),
    "points.xml": (
        '<annotations><image name="one.png"><polygon label="a" points="1,2;3"/></image></annotations>',
        "points.xml: image one.png: points must be pairs of numbers (x, y), got ['1', '2'], ['3']",
    ),
    "cut.zip": (b"PK\x03\x04 and no more", "cut.zip cannot be unpacked: File is not a zip file"),
    "picture.png": (b"\x89PNG\r\n", "picture.png is of no known form, expected a folder of masks, COCO JSON"),
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return save_pictures(tmp_path / "pictures")


def error_of(images: Path, masks: Path, **options) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        read_annotations(images, masks, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_malformed_files(tmp_path: Path, images: Path, name: str) -> None:
    content, expected = FILES[name]
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else write(path, content)
    message = error_of(images, path)
    assert expected in message and "\n" not in message


@pytest.mark.parametrize("member", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "..\\evil.png", "C:\\evil.png"])
def test_zips_that_lead_outside(tmp_path: Path, images: Path, member: str) -> None:
    path = zipped(files.coco_polygons(tmp_path / "a"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(member), "x")
    before = sorted(tmp_path.rglob("*"))
    assert f"has a member that leads outside, {member!r}: do not trust this file" in error_of(images, path)
    assert sorted(tmp_path.rglob("*")) == before


def test_damaged_member_of_a_zip(tmp_path: Path, images: Path) -> None:
    path = zipped(files.coco_polygons(tmp_path / "a"))
    content = bytearray(path.read_bytes())
    content[60] ^= 255
    path.write_bytes(content)
    assert f"{path} cannot be unpacked: Bad CRC-32" in error_of(images, path)


def test_nothing_there(tmp_path: Path, images: Path) -> None:
    assert f"there are no annotations {tmp_path / 'gone'}: give a folder of masks" in error_of(
        images, tmp_path / "gone"
    )
    masks = files.coco_polygons(tmp_path / "a")
    assert error_of(tmp_path / "gone", masks) == f"there is no folder of pictures {tmp_path / 'gone'}"
    assert error_of(tmp_path / "a", masks) == f"there is no picture in {tmp_path / 'a'}"
    assert "masks.zip has only pictures: unpack it" in error_of(images, zipped(files.index_masks(tmp_path / "masks")))
    (tmp_path / "empty").mkdir()
    assert "empty has nothing, expected a folder of masks" in error_of(images, tmp_path / "empty")


def test_pictures_that_are_not_there(tmp_path: Path) -> None:
    images = tmp_path / "others"
    images.mkdir()
    Image.new("RGB", (4, 4)).save(images / "x.png")
    masks = files.labelme_polygons(tmp_path / "l")
    for path in masks.rglob("*.json"):
        write(path, {**json.loads(path.read_text()), "imageData": "abcd"})
    message = error_of(images, masks)
    assert message.startswith(f"labelme annotations: none of its 3 pictures is in {images} (")
    assert message.endswith(
        "give the folder that has them; 3 are inside of the JSON files (imageData): save them as files"
    )


@pytest.mark.parametrize("form", [files.coco_polygons, files.cvat_masks, files.roboflow, files.label_studio_brush])
def test_other_sizes_are_told_in_one_error(tmp_path: Path, images: Path, form) -> None:
    for name in ("one.png", "sub/three.png"):
        Image.new("RGB", (5, 5)).save(images / name)
    assert error_of(images, form(tmp_path / "a")) == (
        "pictures of another size (width x height) than their annotation: 2, "
        "one.png is 5x5, annotated as 13x9, sub/three.png is 5x5, annotated as 10x10"
    )


def test_pictures_that_are_shown_turned(tmp_path: Path, images: Path) -> None:
    masks, exif = files.coco_polygons(tmp_path / "a"), Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", (8, 12)).save(images / "two words.jpg", exif=exif)
    assert error_of(images, masks).endswith("two words.jpg is 12x8 (turned by its EXIF orientation), annotated as 8x12")
    Image.new("RGB", (12, 8)).save(images / "two words.jpg", exif=exif)
    found = read_annotations(images, masks)
    np.testing.assert_array_equal(found.pictures[-1].read_labels(), labels_of("two words.jpg"))


def test_all_damaged_files_are_told_in_one_error(tmp_path: Path, images: Path) -> None:
    masks = files.labelme_polygons(tmp_path / "l")
    write(masks / "one.json", "{")
    content = json.loads((masks / "sub/three.json").read_text())
    content["shapes"][1]["points"][0] = [1, "x"]
    write(masks / "sub/three.json", content)
    lines = error_of(images, masks).splitlines()
    assert [lines[0], len(lines)] == ["2 problems:", 3]
    assert lines[1].startswith(f"- {masks / 'one.json'} is no JSON")
    assert lines[2].startswith(f"- {masks / 'sub/three.json'}: shape 2: ")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({"shape_type": "star"}, "shape 1: a 'star', which is not known"),
        ({"shape_type": "circle"}, "shape 1: a circle of 4 points, expected 2"),
        ({"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "abcd"}, "shape 1: its mask is no picture"),
        ({"points": 3}, "shape 1: points must be pairs of numbers (x, y), got 3"),
    ],
)
def test_shapes_of_labelme_that_are_none(tmp_path: Path, images: Path, shape: dict, expected: str) -> None:
    path = files.labelme_polygons(tmp_path / "l") / "one.json"
    content = json.loads(path.read_text())
    content["shapes"][0].update(shape)
    assert error_of(images, write(path, content)).startswith(f"{path}: {expected}")


def test_a_damaged_json_beside_its_picture_is_no_folder_of_masks(tmp_path: Path, images: Path) -> None:
    path = write(images / "one.json", "{")
    assert error_of(images, images).startswith(f"{path} is no JSON, damaged or cut off")


def test_pictures_annotated_twice(tmp_path: Path, images: Path) -> None:
    path = files.coco_polygons(tmp_path / "a")
    (tmp_path / "a" / "again.json").write_bytes(path.read_bytes())
    assert "pictures that are annotated more than once: 3, one.png, sub/three.png" in error_of(images, path.parent)


def test_pictures_of_the_same_name(tmp_path: Path, images: Path) -> None:
    for folder in ("x", "y"):
        (images / folder).mkdir()
        (images / "sub/three.png").rename(images / folder / "three.png") if folder == "x" else None
        (images / folder / "three.png").write_bytes((images / "x/three.png").read_bytes())
    Image.new("RGB", SCENES["one.png"][0]).save(images / "one.jpg")
    message = error_of(images, files.label_studio_polygons(tmp_path / "a"))
    assert "names of annotations that several pictures have: 1, 0a1b2c33-three.png" not in message
    assert "names of annotations that several pictures have: 1, three.png may be x/three.png or y/three.png" in message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"classes": ["raod"]},
            "classes: there is no class 'raod', did you mean 'road'?; the annotations have car, road",
        ),
        ({"ignore": ["void", "cra"]}, "ignore: there is no class 'void', 'cra', did you mean 'car'?; the annotations"),
        ({"classes": ["car", "car"]}, "classes: car given twice, or ignored as well"),
        ({"classes": ["car"], "ignore": ["car"]}, "classes: car given twice, or ignored as well"),
        ({"pair": "{}_mask"}, "pair is for masks; COCO annotations name their pictures, got '{}_mask'"),
    ],
)
def test_wishes_that_cannot_be_met(tmp_path: Path, images: Path, options: dict, expected: str) -> None:
    assert expected in error_of(images, files.coco_polygons(tmp_path / "a"), **options)


def test_more_classes_than_fit_into_8_bits(tmp_path: Path, images: Path) -> None:
    path = files.coco_polygons(tmp_path / "a")
    content = json.loads(path.read_text())
    content["categories"] += [{"id": number, "name": f"n{number}"} for number in range(100, 400)]
    assert "303 classes, where 255 fit into 8 bits: choose some of them" in error_of(images, write(path, content))
    found = read_annotations(images, path, classes=["car", "n399"])
    assert found.classes == ("background", "car", "n399")


@pytest.mark.parametrize(
    ("segmentation", "expected"),
    [
        ({"size": [9, 13], "counts": [5, 5]}, "runs of 10 pixels for an area of 13x9"),
        ({"size": [9, 13], "counts": "52"}, "runs of"),
        ({"size": [9, 13], "counts": "\x7f"}, "'\\x7f' in compressed runs"),
        ({"size": [3, 3], "counts": [9]}, "one.png: runs for 3x3 pixels in a picture of 13x9"),
        ([[1, 2, 3]], "annotation 1: points must be pairs of numbers (x, y), got (1, 2), (3, None)"),
        ([[1, 2, 3, float("nan"), 5, 6]], "points must be pairs of numbers (x, y)"),
        ([["a", 2, 3, 4, 5, 6]], "annotation 1: points must be pairs of numbers (x, y), got ('a', 2), (3, 4), (5, 6)"),
        ({"counts": [117]}, "annotation 1: there is no 'size'"),
    ],
)
def test_outlines_that_cannot_be_read(tmp_path: Path, images: Path, segmentation: object, expected: str) -> None:
    path = files.coco_polygons(tmp_path / "a")
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = segmentation
    with pytest.raises(ValueError, match=re.escape(expected)) as caught:
        read_annotations(images, write(path, content)).pictures[0].read_labels()
    assert str(path) in str(caught.value)


def test_masks_that_do_not_fit_their_list_of_classes(tmp_path: Path, images: Path) -> None:
    cvat, robo = files.cvat_masks(tmp_path / "c"), files.roboflow(tmp_path / "r")
    Image.new("RGB", (13, 9), (9, 9, 9)).save(cvat / "SegmentationClass" / "one.png")
    with pytest.raises(ValueError, match=r"one.png has colours that labelmap.txt does not have: \(9, 9, 9\)"):
        read_annotations(images, cvat).pictures[0].read_labels()
    Image.fromarray(np.full((9, 13), 7, np.uint8)).save(robo / "train" / "one_png.rf.0123abcd_mask.png")
    with pytest.raises(ValueError, match="one_png.rf.0123abcd_mask.png has values that _classes.csv does not have: 7"):
        read_annotations(images, robo).pictures[0].read_labels()
    write(robo / "valid" / "_classes.csv", "Pixel Value, Class\n0, background\n1, dog\n")
    assert "the _classes.csv of" in error_of(images, robo)
    write(cvat / "labelmap.txt", "car:1,2,3::\nroad:1,2,3::\n")
    assert "labelmap.txt: line 2: the colour 1,2,3 is another class's, too" in error_of(images, cvat)
    write(cvat / "labelmap.txt", "car\n")
    assert "labelmap.txt: line 1 must be like 'road:128,64,128::', got 'car'" in error_of(images, cvat)


def test_cut_off_brushes(tmp_path: Path, images: Path) -> None:
    path = files.label_studio_brush(tmp_path / "s")
    content = json.loads(path.read_text())
    value = content[0]["annotations"][0]["result"][0]["value"]
    value["rle"] = value["rle"][:8]
    with pytest.raises(ValueError, match="task 1: the run lengths of a brush end too early"):
        read_annotations(images, write(path, content)).pictures[0].read_labels()
    value["rle"] = [300]
    assert "task 1: bytes must be in range" in error_of(images, write(path, content))
