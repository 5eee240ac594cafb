"""Masks of all kinds are the same class indices, and what is none gets a sentence."""

import pickle
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from fcn_plugin.datasets.annotations.read_masks import read_masks

HEIGHT, WIDTH = 24, 32
GENERATOR = np.random.default_rng(0)


def labels_of(classes, number=0):
    """Stripes of classes, (24, 32), of which the first picture has all."""
    stripes = np.arange(WIDTH) * classes // WIDTH
    labels = np.broadcast_to(stripes, (HEIGHT, WIDTH)).astype(np.uint8).copy()
    labels[: 4 * number] = 0
    return labels


def write_set(root, masks, suffix=".png", size=(WIDTH, HEIGHT), **options):
    """Pictures 0.jpg, 1.jpg and so on, and masks that Pillow writes."""
    for folder in ("pictures", "masks"):
        (root / folder).mkdir(parents=True)
    for number, mask in enumerate(masks):
        Image.new("RGB", size).save(root / f"pictures/{number}.jpg")
        mask = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
        mask.save(root / f"masks/{number}{suffix}", **options)
    return root


def read(root, **options):
    return read_masks(root / "pictures", root / "masks", **options)


def palette_picture(labels, colours, void=None):
    picture = Image.fromarray(labels)
    table = np.zeros((256, 3), np.uint8)
    table[: len(colours)] = colours
    if void:
        table[255] = void
    picture.putpalette(table.tobytes())
    return picture


def transparent(labels):
    colours = np.array([(9, 9, 9), *COLOURS[1:]], np.uint8)
    return np.dstack([colours[labels], 255 * (labels > 0).astype(np.uint8)])


def shuffled_palette(labels):
    order = np.roll(np.arange(5), int(labels.sum()))
    return palette_picture(np.argsort(order).astype(np.uint8)[labels], COLOURS[order])


COLOURS = np.array([(0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 0)], np.uint8)
GAPS = np.array([0, 7, 8, 11, 33], np.uint8)


def in_palette(labels):
    return palette_picture(labels, COLOURS)


INSTANCES = np.kron(np.arange(300, dtype=np.uint16).reshape(15, 20), np.ones((4, 4), np.uint16))

#: Ways to write the labels 0 to 4: suffix and picture.
FORMS = {
    "grey": (".png", lambda labels: labels),
    "palette": (".png", in_palette),
    "GIF": (".gif", in_palette),
    "palette TIFF": (".tif", in_palette),
    "palettes of another order each": (".png", lambda labels: shuffled_palette(labels)),
    "colours": (".png", lambda labels: COLOURS[labels]),
    "colours in BMP": (".bmp", lambda labels: COLOURS[labels]),
    "gaps": (".png", lambda labels: GAPS[labels]),
    "16 bits": (".png", lambda labels: labels.astype(np.uint16) * 300),
    "16 bits, TIFF": (".tif", lambda labels: labels.astype(np.uint16)),
    "32 bits": (".tif", lambda labels: labels.astype(np.int32) * 70000),
    "float": (".tif", lambda labels: labels.astype(np.float32)),
    "three equal bands": (".png", lambda labels: np.repeat(labels[..., None], 3, axis=2)),
    "opaque": (".png", lambda labels: np.dstack([COLOURS[labels], np.full_like(labels, 255)])),
    "grey, opaque": (".png", lambda labels: np.dstack([labels, labels | 255])),
    "transparent background": (".png", lambda labels: transparent(labels)),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_indices_are_the_same_out_of_all_forms(tmp_path, form):
    suffix, write = FORMS[form]
    labels = [labels_of(5, number) for number in range(3)]
    found = read(write_set(tmp_path, map(write, labels), suffix), classes=["void", "sea", "land", "town", "road"])
    assert found.classes == ("void", "sea", "land", "town", "road")
    assert [picture.name for picture in found.pictures] == ["0", "1", "2"]
    for picture, expected in zip(found.pictures, labels):
        read_again = pickle.loads(pickle.dumps(picture)).read_labels()
        assert read_again.dtype == np.uint8
        np.testing.assert_array_equal(read_again, expected)
        assert picture.image == tmp_path / f"pictures/{picture.name}.jpg"
        assert picture.annotations == (tmp_path / f"masks/{picture.name}{suffix}",)
    if "colour" in form or "palette" in form or form in ("GIF", "opaque"):
        np.testing.assert_array_equal(found.palette, COLOURS)
    assert len(set(found.palette)) == 5


BINARY = labels_of(2)


@pytest.mark.parametrize(
    ("suffix", "write", "form"),
    [
        (".png", lambda labels: 255 * labels, "masks of 0 and 255"),
        (".gif", lambda labels: 255 * labels, "masks of 0 and 255"),
        (".png", lambda labels: labels, "masks of 0 and 1"),
        (".png", lambda labels: Image.fromarray(255 * labels).convert("1"), "masks of 0 and 1"),
        (".pbm", lambda labels: Image.fromarray(255 * labels).convert("1"), "masks of 0 and 1"),
        (".gif", lambda labels: palette_picture(1 - labels, [(255, 255, 255), (0, 0, 0)]), "masks of 0 and 255"),
        (".png", lambda labels: palette_picture(1 - labels, [(255, 0, 0), (0, 0, 0)]), "masks of 2 colours"),
        (".tif", lambda labels: (128 * labels + 7).astype(np.float32), "masks of 7 and 135"),
        (".png", lambda labels: np.repeat(255 * labels[..., None], 3, axis=2), "masks of 0 and 255"),
        (".png", lambda labels: np.dstack([200 * labels, 0 * labels, 10 * labels]), "masks of 2 colours"),
        (
            ".png",
            lambda labels: np.dstack([np.full((HEIGHT, WIDTH, 3), 9, np.uint8), 255 * labels]),
            "masks of 0 and 255",
        ),
        (".jpg", lambda labels: 255 * labels, "masks of 0 and 255"),
    ],
)
def test_two_values_are_background_and_foreground(tmp_path, suffix, write, form):
    labels = [BINARY, labels_of(2, 2), 0 * BINARY]
    found = read(write_set(tmp_path, map(write, labels), suffix))
    assert (found.classes, found.form) == (("background", "foreground"), form)
    for picture, expected in zip(found.pictures, labels):
        np.testing.assert_array_equal(picture.read_labels(), expected)


def with_void(values, void=255):
    """Labels of values, and the ignored one in the last row."""
    labels = np.array(values, np.uint8)[labels_of(len(values))]
    labels[-1] = void
    return labels


@pytest.mark.parametrize(
    ("values", "options", "classes", "remark"),
    [
        ([0, 1], {}, ("background", "foreground"), "255 is ignored, as usual beside indices of classes"),
        ([0, 1, 2], {}, ("class_0", "class_1", "class_2"), "ignored values of the masks: 255 (4.2% of the pixels)"),
        ([0, 1, 2], dict(classes=list("abcd")), tuple("abcd"), "numbered in order: 255 became 3"),
        ([0, 1, 2], dict(classes=list("abc")), tuple("abc"), "ignored values of the masks: 255"),
        ([0, 7, 33], {}, ("class_0", "class_1", "class_2"), "numbered in order: 7 became 1, 33 became 2"),
        ([0, 128], {}, ("class_0", "class_1", "class_2"), "255 is a class, as the values are shades of grey"),
        ([0, 128], dict(ignore=["255"]), ("background", "foreground"), "ignored values of the masks: 255"),
        ([7], {}, ("background", "foreground"), "255 is a class, as there is one other value; to ignore 255, --ignore"),
        ([0, 1, 2], dict(ignore=[0]), ("background", "foreground"), "ignored values of the masks: 0, 255"),
        ([0, 1, 2], dict(classes=list("abc"), ignore=["B"]), ("a", "c"), "ignored values of the masks: 1, 255"),
        ([0, 1, 2], dict(ignore=["class_1"]), ("class_0", "class_2"), "ignored values of the masks: 1, 255"),
    ],
)  # fmt: skip
def test_what_is_ignored_beside_indices(tmp_path, values, options, classes, remark):
    mask = with_void(values)
    found = read(write_set(tmp_path, [mask, mask]), **options)
    assert found.classes == classes
    assert any(remark in text for text in found.remarks), found.remarks
    indices = found.pictures[0].read_labels()
    ignored = "ignored values" in " ".join(found.remarks)
    assert set(np.unique(indices)) == set(range(len(classes))) | ({255} if ignored else set())
    assert (indices[-1] == (255 if ignored else len(classes) - 1)).all()


@pytest.mark.parametrize("colour", ["#0000ff", "0,0,255", (0, 0, 255)])
@pytest.mark.parametrize("write", [lambda labels: palette_picture(labels, COLOURS), lambda labels: COLOURS[labels]])
def test_a_colour_is_ignored(tmp_path, write, colour):
    labels = labels_of(4)
    found = read(write_set(tmp_path, [write(labels)] * 2), ignore=[colour], classes=["a", "b", "c"])
    np.testing.assert_array_equal(found.pictures[0].read_labels(), np.array([0, 255, 1, 2])[labels])
    np.testing.assert_array_equal(found.palette, COLOURS[[0, 2, 3]])


@pytest.mark.parametrize(
    ("file", "text", "write"),
    [
        ("classes.txt", "sea\nland\nroad\ntown\n", lambda labels: labels),
        ("labels.txt", "sea\nland\nroad\ntown\nlake\n", lambda labels: labels),
        ("classes.txt", "sea\nland\nroad\ntown", lambda labels: GAPS[labels]),
        ("class_dict.csv", "name,r,g,b\ntown,255,0,0\nroad,0,255,0\nland,0,0,255\nsea,0,0,0\n", COLOURS.__getitem__),
        ("class_dict.csv", "town,255,0,0\nsea,0,0,0\nroad,0,255,0\nland,0,0,255", in_palette),
        ("label_colors.txt", "0 0 0\tsea\n0 0 255\tland\n0 255 0\t\troad\n255 0 0\ttown\n", COLOURS.__getitem__),
    ],
)  # fmt: skip
def test_names_of_classes_are_read_beside_the_masks(tmp_path, file, text, write):
    root = write_set(tmp_path, [write(labels_of(4))] * 2)
    (root / "masks" / file).write_text(text, encoding="utf-8-sig")
    found = read(root)
    assert found.classes == ("sea", "land", "road", "town")
    assert f"names of classes were read from {root / 'masks' / file}" in found.remarks
    assert read(root, classes=list("abcd")).classes == tuple("abcd")
    (root / "masks" / file).write_text(text.replace("road", "sea"))
    assert read(root).classes == ("class_0", "class_1", "class_2", "class_3")


def test_one_name_is_that_of_the_foreground(tmp_path):
    root = write_set(tmp_path, [255 * BINARY] * 2)
    assert read(root, classes=["vessel"]).classes == ("background", "vessel")


def test_255_of_a_palette_is_ignored_and_its_colours_are_kept(tmp_path):
    labels = with_void([0, 1, 2])
    found = read(write_set(tmp_path, [palette_picture(labels, COLOURS, (224, 224, 192))] * 2))
    assert found.form == "palette masks of 3 indices from 0 to 2 and 255"
    np.testing.assert_array_equal(found.pictures[0].read_labels(), labels)
    np.testing.assert_array_equal(found.palette, COLOURS[:3])


def test_smoothed_colours_are_those_of_the_nearest_class(tmp_path):
    labels = np.kron(labels_of(3), np.ones((8, 8), np.uint8))
    circle = cv2.circle(labels.copy(), (128, 96), 60, 1, -1)
    smooth = cv2.resize(
        cv2.resize(COLOURS[[0, 3, 4]][circle], (512, 384), interpolation=0), (256, 192), interpolation=3
    )
    smooth = cv2.GaussianBlur(smooth, (3, 3), 0)
    found = read(write_set(tmp_path, [smooth] * 2, size=(256, 192)))
    assert len(found.classes) == 3
    np.testing.assert_array_equal(found.palette, COLOURS[[0, 3, 4]])
    assert any("from smoothed edges: each was taken for the nearest class" in text for text in found.remarks)
    assert np.mean(found.pictures[0].read_labels() == circle) > 0.98


def test_greys_of_a_palette_are_values(tmp_path):
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(256, 3)
    labels = labels_of(3)
    found = read(write_set(tmp_path, [palette_picture(np.array([0, 128, 255], np.uint8)[labels], ramp)] * 2))
    np.testing.assert_array_equal(found.pictures[0].read_labels(), labels)


def test_near_black_and_near_white_are_two_classes(tmp_path):
    mask = 255 * BINARY
    mask[::6, ::4] ^= 1
    mask[::6, 1::4] ^= 3
    found = read(write_set(tmp_path, [mask] * 2))
    np.testing.assert_array_equal(found.pictures[0].read_labels(), BINARY)
    assert any("of the pixels have other values than those of the classes" in text for text in found.remarks)


def test_values_that_are_near_no_class_are_an_error(tmp_path):
    mask = np.kron(255 * BINARY, np.ones((4, 4), np.uint8))
    mask[:, :24] = GENERATOR.integers(90, 160, (96, 24))
    with pytest.raises(
        ValueError, match="18.8% of their pixels are near none of the main ones .0, 255.: save masks as PNG"
    ):
        read(write_set(tmp_path, [mask] * 2, size=(128, 96)))


@pytest.mark.parametrize("other", [255 * BINARY, np.dstack([255 * BINARY] * 3)])
def test_white_of_one_bit_is_that_of_other_masks(tmp_path, other):
    found = read(write_set(tmp_path, [Image.fromarray(BINARY > 0), other]))
    assert found.classes == ("background", "foreground") and found.form == "masks of 0 and 255"
    for picture in found.pictures:
        np.testing.assert_array_equal(picture.read_labels(), BINARY)


def test_one_bit_beside_indices_is_an_index(tmp_path):
    found = read(write_set(tmp_path, [Image.fromarray(BINARY > 0), labels_of(3)]))
    assert found.form == "masks of 3 indices from 0 to 2"
    np.testing.assert_array_equal(found.pictures[0].read_labels(), BINARY)


def test_masks_fit_pictures_as_they_are_shown(tmp_path):
    root = write_set(tmp_path, [BINARY, BINARY])
    turned = Image.new("RGB", (HEIGHT, WIDTH))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(root / "pictures/0.jpg", exif=exif)
    assert len(read(root).pictures) == 2
    turned.save(root / "pictures/0.jpg")
    with pytest.raises(ValueError, match=r"1 of 2 masks .*shown\): 0.png is 32x24, 0.jpg 24x32 \(turned\)"):
        read(root)


def write_layers(root, pattern, layers):
    """One picture and its mask of each class."""
    (root / "pictures").mkdir()
    for number in range(2):
        Image.new("RGB", (WIDTH, HEIGHT)).save(root / f"pictures/{number}.jpg")
        for name, layer in layers.items():
            path = root / "masks" / pattern.format(name=name, number=number)
            path.parent.mkdir(exist_ok=True, parents=True)
            Image.fromarray(255 * layer.astype(np.uint8)).save(path)
    return root


@pytest.mark.parametrize("pattern", ["{name}/{number}.png", "{number}_{name}.png", "{number}-{name}_mask.png"])
def test_one_mask_per_class(tmp_path, pattern):
    labels = labels_of(4)
    layers = {"road": labels == 1, "car": labels >= 2, "tree": labels == 3}
    root = write_layers(tmp_path, pattern, layers)
    (root / "masks" / pattern.format(name="tree", number=1)).unlink()
    found = read(root)
    assert (found.classes, found.form) == (("background", "car", "road", "tree"), "one mask per class")
    np.testing.assert_array_equal(found.pictures[0].read_labels(), np.array([0, 2, 1, 3])[labels])
    np.testing.assert_array_equal(found.pictures[1].read_labels(), np.array([0, 2, 1, 1])[labels])
    assert len(found.pictures[0].annotations) == 3
    assert "masks of classes overlap in 12.50% of the pixels, where the later class counts" in found.remarks
    found = read(root, classes=["road", "tree", "car"], ignore=["road"])
    assert found.classes == ("background", "tree", "car")
    np.testing.assert_array_equal(found.pictures[0].read_labels(), np.array([0, 255, 2, 2])[labels])


def test_masks_of_two_annotators_or_of_a_region_are_not_classes(tmp_path):
    labels = labels_of(4)
    for name, layers in {
        "annotators": {"manual1": labels == 1, "manual2": labels == 2},
        "initials": {"ah": labels < 2, "vk": np.roll(labels < 2, 4, axis=1)},
        "region": {"a_vessels": labels > 2, "field": labels > 0},
    }.items():
        (tmp_path / name).mkdir()
        root = write_layers(tmp_path / name, "{number}_{name}.png", layers)
        with pytest.raises(ValueError, match="have several masks each in .* say which with --pair") as error:
            read(root)
        assert f"or, if each has one class: --classes {' '.join(layers)}" in str(error.value)
    assert read(root, classes=["field", "a_vessels"]).classes == ("background", "field", "a_vessels")
    assert read(root, pair="{}_field").form == "masks of 0 and 255"


def photos():
    return [GENERATOR.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(3)]


BAD_SETS = {
    "one class": ([0 * BINARY] * 2, {}, r"the masks have one class only, a model needs two or more: found 0 \(100.0%"),
    "one class and ignored": ([255 * BINARY], dict(ignore=["255"]), "one class only, .* ignored: 255"),
    "photographs": (photos(), {}, "photographs in place of masks.*: 0.png has .* values"),
    "grey photographs": ([one[..., 0] for one in photos()], {}, "photographs in place of masks"),
    "too many": ([INSTANCES], {}, "the masks have 300 values, at"),
    "names": ([labels_of(3)], dict(classes=["a", "b"]), r"2 names \(a, b\), but the masks have 3 classes: found 0"),
    "equal names": ([labels_of(3)], dict(classes=["a", "b", "B"]), "--classes must be different names, got a, b, B"),
    "nothing to ignore": ([labels_of(3)], dict(ignore=["9"]), r"--ignore 9 does not occur in the masks: found 0 \("),
    "no class to ignore": ([labels_of(3)], dict(ignore=["clas_1"]), "clas_1 is no class, did you mean 'class_1'"),
    "index of colours": ([COLOURS[labels_of(3)]], dict(ignore=["1"]), "1: these masks have colours, give one as #"),
    "sizes": ([BINARY, BINARY[:12], BINARY[:6]], {}, "2 of 3 masks have another size .*: 1.png is 32x12, 1.jpg"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_SETS)
def test_masks_that_are_none_get_a_sentence(tmp_path, name):
    masks, options, sentence = BAD_SETS[name]
    write_set(tmp_path, masks, size=(WIDTH, HEIGHT) if name == "sizes" else masks[0].shape[1::-1])
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path, **options)


def test_probabilities_are_no_masks(tmp_path):
    write_set(tmp_path, [BINARY * np.float32(0.5)], ".tif")
    with pytest.raises(ValueError, match="0.tif cannot be read: its values are no whole numbers: 0 to 0.5"):
        read(tmp_path)


def test_damaged_masks_are_named(tmp_path):
    root = write_set(tmp_path, [BINARY] * 3)
    (root / "masks/1.png").write_bytes((root / "masks/1.png").read_bytes()[:50])
    (root / "masks/2.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="2 masks that cannot be read: the mask .*1.png cannot be read: .*2.png"):
        read(root)


def test_what_pillow_does_not_know_is_read(tmp_path, monkeypatch):
    root = write_set(tmp_path, [BINARY] * 2)
    for number in range(2):
        (root / f"masks/{number}.png").unlink()
        cv2.imwrite(str(root / f"masks/{number}.tif"), labels_of(3).astype(np.float64))
    monkeypatch.setitem(sys.modules, "tifffile", None)  # OpenCV is enough
    np.testing.assert_array_equal(read(root).pictures[0].read_labels(), labels_of(3))
