"""Pictures and masks find each other by their names, one to one, or the user is asked."""

import unicodedata
from pathlib import Path

import pytest

from fcn_plugin.datasets.annotations.pairing import pair_files

NUMBERS = (1, 2, 10, 11, 12, 21)
CITIES = [
    f"{city}/{city}_{shot:06}_{frame:06}" for city in ("aachen", "bonn") for shot in (0, 1) for frame in (19, 119)
]
DECOMPOSED = unicodedata.normalize("NFD", "1_Ü.png")
EXPORTS = ["img1_jpg.rf.0f3a9c", "img11_jpg.rf.9c1b22", "img2_png.rf.77ab01"]


def touch(root: Path, names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def pair(tmp_path, images, masks, pattern=None):
    return pair_files(touch(tmp_path / "pictures", images), touch(tmp_path / "masks", masks), pattern)


def names(pairing, way=0):
    roots = pairing.images, pairing.masks
    pairs = pairing.ways[way].pairs.items()
    return {tuple(file.path.relative_to(root).as_posix() for file, root in zip(two, roots)) for two in pairs}


def fewest_in_masks(path):
    """Number of values, for the tests in one folder: masks have a word in their path that says so."""
    return 2 if any(word in str(path) for word in ("mask", "manual", "anno", "gtFine", ".gif")) else 200


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}.jpg", "{}.png"),
        ("{}.JPG", "{}.tif"),
        ("{}.jpg", "{}_mask.png"),
        ("{}_training.tif", "{}_manual1.gif"),
        ("im{:04}.ppm", "im{:04}.ah.ppm"),
        ("Image_{:02}L.jpg", "Image_{:02}L_1stHO.png"),
        ("img_{}.png", "label_{}.png"),
        ("img{}.png", "label-{}.png"),
        ("{}_sat.jpg", "{}_mask.png"),
        ("train_{}.jpg", "train_labels_{}.png"),
        ("x/{}.png", "x/{}.png"),
        ("x/{}.png", "x_{}.png"),
        ("x/{}.png", "{}.png"),
        ("images/x/{}.png", "gt/x/{} (mask).png"),
        ("top_potsdam_2_{}_RGB.tif", "top_potsdam_2_{}_label.tif"),
        ("ISIC_{:07}.jpg", "ISIC_{:07}_segmentation.png"),
        ("Scan {}.bmp", "scan_{}-Mask.bmp"),
        ("img_{}.png", "label_{:03}.png"),
        ("4k_{}.jpg", "4k_{}Mask.png"),
        ("BRATS_{:03}_0000.png", "BRATS_{:03}.png"),
        ("case{}/image.png", "case{}/seg.png"),
        ("{}.jpg", "{}.jpg.png"),
        ("{}.jpg", "a{}_json/label.png"),
    ],
)
def test_names_that_share_a_part_are_paired(tmp_path, image, mask):
    expected = {(image.format(number), mask.format(number)) for number in NUMBERS}
    assert names(pair(tmp_path, *zip(*expected))) == expected


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ([f"{city}_leftImg8bit.png" for city in CITIES], [f"{city}_gtFine_labelIds.png" for city in CITIES]),
        ([f"{name}.jpg" for name in EXPORTS], [f"{name}_mask.png" for name in EXPORTS]),
        (["a_1.jpg", "b_1.jpg", "b_2.jpg"], ["train/a_1.png", "val/b_1.png", "val/b_2.png"]),
        (["1_training.tif", "2_training.tif", "3_test.tif", "4_test.tif"], [f"{i}_manual1.gif" for i in (1, 2, 3, 4)]),
        (["1.png", "01.png", "11.png"], ["1.png", "01.png", "11.png"]),
        (["a.jpg", "A.jpg"], ["a.png", "A.png"]),
        (["cat.jpg", "dog.jpg"], ["catmask.png", "dogmask.png"]),
        (["a1.jpg", "a2.jpg", "b1.png", "b2.png"], ["a1.jpg.png", "a2.jpg.png", "b1.png.png", "b2.png.png"]),
        (
            [unicodedata.normalize("NFC", "Übung é.jpg"), "o.jpg"],
            [unicodedata.normalize("NFD", "übung_É_m.png"), "o_m.png"],
        ),
    ],
)
def test_names_of_several_kinds_are_paired(tmp_path, images, masks):
    assert names(pair(tmp_path, images, masks)) == set(zip(images, masks))


def test_derived_masks_of_cityscapes_are_passed_over(tmp_path):
    kinds = ("labelIds.png", "instanceIds.png", "color.png", "polygons.json")
    images = [f"{city}_leftImg8bit.png" for city in CITIES]
    found = pair(tmp_path, images, [f"{city}_gtFine_{kind}" for city in CITIES for kind in kinds])
    assert names(found) == {(f"{city}_leftImg8bit.png", f"{city}_gtFine_labelIds.png") for city in CITIES}
    assert len(found.ways) == 1
    remarks = "\n".join(found.remarks)
    assert "8 pictures and masks were paired by their names: {}_leftImg8bit={}_gtFine_labelIds" in remarks
    assert "passed over: {}_leftImg8bit={}_gtFine_color, {}_leftImg8bit={}_gtFine_instanceIds" in remarks
    assert (
        "8 files of" in remarks and "that are no pictures were passed over: aachen_000000_000019_gtFine_poly" in remarks
    )
    assert "without a" not in remarks


@pytest.mark.parametrize(
    ("images", "masks", "pairs"),
    [
        (
            ("1_m.png", "11_m.png", "111_m.png"),
            ("1.png", "01.png", "11.png"),
            {("1_m.png", "1.png"), ("11_m.png", "11.png")},
        ),
        (("im1.tif", "im11.tif", "im12.tif"), ("im2_mask.gif", "im12_mask.gif"), {("im12.tif", "im12_mask.gif")}),
        (("a.jpg", "b.jpg", "c.jpg"), ("a.png", "c.png", "d.png"), {("a.jpg", "a.png"), ("c.jpg", "c.png")}),
        (
            ("s1_1.jpg", "s1_2.jpg"),
            ("s1_1_m.png", "s1_2_m.png", "s2_1_m.png", "s2_2_m.png"),
            {("s1_1.jpg", "s1_1_m.png"), ("s1_2.jpg", "s1_2_m.png")},
        ),
    ],
)
def test_what_has_no_partner_stays_alone_and_is_named(tmp_path, images, masks, pairs):
    found = pair(tmp_path, images, masks)
    assert names(found) == pairs
    remarks = "\n".join(found.remarks)
    for alone in [set(images) - {image for image, _ in pairs}, set(masks) - {mask for _, mask in pairs}]:
        assert all(name in remarks for name in alone)
    assert "pictures without a mask" in remarks or len(images) == len(pairs)
    assert "masks without a picture" in remarks


@pytest.mark.parametrize(
    ("files", "pairs"),
    [
        (["1.jpg", "2.jpg", "1.png", "2.png"], {("1.jpg", "1.png")}),
        (["1.jpg", "2.jpg", "1_mask.jpg", "2_mask.jpg"], {("1.jpg", "1_mask.jpg")}),
        (
            ["testA_1.bmp", "testA_2.bmp", "testA_1_anno.bmp", "testA_2_anno.bmp", "Grade.csv"],
            {("testA_1.bmp", "testA_1_anno.bmp")},
        ),
        (
            ["images/1_training.tif", "images/2_training.tif", "1st_manual/1_manual1.gif", "1st_manual/2_manual1.gif"],
            {("images/1_training.tif", "1st_manual/1_manual1.gif")},
        ),
        (["p/images/1.png", "q/images/1.png", "p/masks/1.png", "q/masks/1.png"], {("p/images/1.png", "p/masks/1.png")}),
    ],
)
def test_pictures_and_masks_in_one_folder(tmp_path, files, pairs):
    root = touch(tmp_path / "all", files)
    found = pair_files(
        root,
        root,
        values_in=lambda path: (
            fewest_in_masks(path.relative_to(root)) - (path.suffix == ".png" and "images" not in str(path))
        ),
    )
    assert len(found.ways) == 1 and len(names(found)) == 2
    assert names(found) > pairs


def test_masks_in_the_folder_of_the_pictures_and_the_other_way_round(tmp_path):
    root = touch(
        tmp_path,
        ["images/1.jpg", "images/2.jpg", "masks/1.png", "masks/2.png", ".DS_Store", "masks/Thumbs.db", "._1.jpg"],
    )
    for images, masks in ((root, root / "masks"), (root / "images", root)):
        found = pair_files(images, masks)
        pairs = [(image.path, mask.path) for image, mask in found.ways[0].pairs.items()]
        assert pairs == [(root / f"images/{i}.jpg", root / f"masks/{i}.png") for i in (1, 2)]
        assert any(
            "that are no pictures were passed over" in remark and "._1.jpg" in remark for remark in found.remarks
        )


@pytest.mark.parametrize(
    ("images", "masks", "ways"),
    [
        ("{}_training.tif", ("{}_manual1.gif", "{}_manual2.gif"), ("{}_training={}_manual1", "{}_training={}_manual2")),
        ("Image_{}L.jpg", ("Image_{}L_1stHO.png", "Image_{}L_2ndHO.png"), ("{}={}_1stHO", "{}={}_2ndHO")),
        ("im{}.ppm", ("im{}.ah.ppm", "im{}.vk.ppm"), ("{}={}.ah", "{}={}.vk")),
        ("{}.jpg", ("a/{}.png", "b/{}.png"), ("{}=a/{}", "{}=b/{}")),
        ("{}.jpg", ("{}.png", "{}.gif"), ("{}={}.gif", "{}={}.png")),
        (
            "{}_training.tif",
            ("seg/{}_manual1.gif", "fov/{}_training_mask.gif"),
            ("{}=fov/{}_mask", "{}_training=seg/{}_manual1"),
        ),
    ],
)
def test_several_masks_of_a_picture_are_ways_to_choose_from(tmp_path, images, masks, ways):
    pictures, files = [images.format(i) for i in NUMBERS], [mask.format(i) for i in NUMBERS for mask in masks]
    found = pair(tmp_path, pictures, files)
    assert tuple(map(str, found.ways)) == ways
    question = found.ambiguous()
    assert "have several masks each" in question
    for index, way in enumerate(ways):
        assert f'--pair "{way}": 6 pairs such as ' in question
        chosen = pair_files(found.images, found.masks, way)
        assert names(chosen) == names(found, index) and len(names(chosen)) == 6


def test_numbers_of_annotators_are_no_numbers_of_pictures(tmp_path):
    masks = [f"{number}_manual{annotator}.gif" for number in (1, 2) for annotator in (1, 2)]
    found = pair(tmp_path, ["1_training.tif", "2_training.tif"], masks)
    assert [str(way) for way in found.ways] == ["{}_training={}_manual1", "{}_training={}_manual2"]


@pytest.mark.parametrize(
    ("images", "masks", "pattern", "pairs"),
    [
        (["im1.tif", "im11.tif"], ["im_m.png", "im1_m.png"], "{}1={}_m", {("im1.tif", "im_m.png")}),
        (["1a.tif", "11a.tif"], ["m_a.png", "m_1a.png"], "1{}=m_{}", {("1a.tif", "m_a.png")}),
        (["1.tif", "01.tif", "2.tif"], ["001_m.png", "2_m.png"], "{}={}_m", {("2.tif", "2_m.png")}),
        (["1.tif"], [DECOMPOSED], "{}={}_ü", {("1.tif", DECOMPOSED)}),
    ],
)  # fmt: skip
def test_numbers_are_whole_and_patterns_are_without_case(tmp_path, images, masks, pattern, pairs):
    assert names(pair(tmp_path, images, masks, pattern)) == pairs


def test_ways_of_pictures_that_are_called_in_several_ways(tmp_path):
    sets = {"training": (21, 22, 23), "test": (1, 2, 3)}
    parts = [(name, number) for name, numbers in sets.items() for number in numbers]
    images = [f"{name}/images/{number:02}_{name}.tif" for name, number in parts]
    regions = [f"{name}/mask/{number:02}_{name}_mask.gif" for name, number in parts]
    vessels = [f"{name}/1st_manual/{number:02}_manual1.gif" for name, number in parts]
    found = pair(tmp_path, images, regions + vessels)
    assert names(found, 0) == set(zip(images, regions))
    assert names(found, 1) == set(zip(images, vessels))
    option = "{}/images/{}_t*={}/1st_manual/{}_manual1"
    assert f'--pair "{option}": 6 pairs such as ' in found.ambiguous()
    assert names(pair_files(found.images, found.masks, option)) == set(zip(images, vessels))


@pytest.mark.parametrize(
    ("images", "masks", "ways"),
    [
        (("images/{}.jpg", "overlays/{}.jpg"), "{}.png", ("images/{}={}", "overlays/{}={}")),
        (("{}_left.jpg", "{}_right.jpg"), "{}_m.png", ("{}_left={}_m", "{}_right={}_m")),
    ],
)
def test_several_pictures_of_a_mask_are_a_question(tmp_path, images, masks, ways):
    pictures = [image.format(number) for image in images for number in NUMBERS]
    with pytest.raises(ValueError, match="masks such as .* have several pictures each: say which with --pair") as error:
        pair(tmp_path, pictures, [masks.format(number) for number in NUMBERS])
    assert all(f'--pair "{way}": 6 pairs' in str(error.value) for way in ways)


def test_a_pattern_of_masks_alone_and_of_any_folder(tmp_path):
    images, masks = ["1.jpg", "2.jpg"], ["1_manual1.gif", "1_manual2.gif", "2_manual1.gif"]
    assert names(pair(tmp_path, images, masks, "{}_MANUAL1")) == {
        ("1.jpg", "1_manual1.gif"),
        ("2.jpg", "2_manual1.gif"),
    }
    found = pair(tmp_path / "deep", ["p/1.jpg"], [f"q/{name}" for name in masks], "{}_manual2")
    assert names(found) == {("p/1.jpg", "q/1_manual2.gif")}


@pytest.mark.parametrize(
    ("images", "masks", "pattern", "sentence"),
    [
        (
            ["a.jpg", "b.jpg"],
            ["x.png", "y.png"],
            None,
            "pictures are called a.jpg and b.jpg, masks x.png and y.png. Say how",
        ),
        (["1_training.tif"], ["2_manual1.gif"], None, "no picture of .* has a mask in .* by the names"),
        (["a.jpg"], ["a_m.png"], "{}={}_x", 'by --pair "{}={}_x"'),
        (["a.jpg"], ["a_m.png"], "a_m", "--pair must be patterns .*, got 'a_m'"),
        (
            ["a.jpg", "a.tif", "b.jpg"],
            ["a.png", "b.png"],
            None,
            'pictures a.jpg, a.tif and masks a.png: move .* --pair "{}.jpg={}"',
        ),
        (["a.jpg", "a.tif"], ["a.png"], None, "several files belong together by their names"),
        (["a.txt"], ["a.png"], None, "pictures has no pictures: expected files such as"),
        (["a.jpg"], [".a.png"], None, "masks has no masks"),
    ],
)
def test_bad_folders_and_patterns(tmp_path, images, masks, pattern, sentence):
    with pytest.raises(ValueError, match=sentence.replace("{", r"\{").replace("|", r"\|")):
        pair(tmp_path, images, masks, pattern)


def test_folders_that_are_none(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="nowhere does not exist: give the folder of the pictures"):
        pair_files(tmp_path / "nowhere", tmp_path)
    with pytest.raises(FileNotFoundError, match="file is no folder: give the folder of the masks"):
        pair_files(tmp_path, tmp_path / "file")
