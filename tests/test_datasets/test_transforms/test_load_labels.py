import numpy as np
import pytest
from mmseg.datasets import PascalVOCDataset
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from fcn_plugin.datasets import LoadLabels
from fcn_plugin.datasets.shapes_generator import voc_palette

PALETTE = voc_palette()
BORDER = PALETTE[255]  # VOC's colour of ignored pixels, which is no class's


def random_label(height=7, width=9, classes=21):
    label = np.random.default_rng(0).integers(0, classes, (height, width), dtype=np.uint8)
    label[0], label[1, :classes] = 255, np.arange(min(classes, width))
    return label


def as_picture(label, kind):
    if kind in ("16 bit", "32 bit"):
        return Image.fromarray(label.astype(np.uint16 if kind == "16 bit" else np.int32))
    if kind in ("grey", "grey with alpha"):
        return Image.fromarray(label).convert("L" if kind == "grey" else "LA")
    if kind == "palette":
        picture = Image.fromarray(label)
        picture.putpalette(np.random.default_rng(1).integers(0, 256, 768, dtype=np.uint8).tobytes())
        return picture
    picture = Image.fromarray(PALETTE[label])
    if kind == "colour with alpha":
        picture.putalpha(7)
    return picture


def load(picture, folder, transform=None, suffix="png", **info):
    path = folder / f"label.{suffix}"
    picture.save(path)
    results = dict(seg_map_path=str(path), reduce_zero_label=False, label_map=None, seg_fields=[])
    return (transform or LoadLabels("PascalVOCDataset"))(results | info)


KINDS = ["palette", "grey", "grey with alpha", "16 bit", "32 bit", "colour", "colour with alpha"]


@pytest.mark.filterwarnings("ignore:.*colours that are not in the palette")
class TestEqual:
    """All kinds of pictures give the same indices, as the toolbox reads them from a greyscale picture."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("size", [(7, 9), (1, 5), (6, 1), (1, 1)])
    def test_indices(self, kind, size, tmp_path):
        label = random_label(8, 9)[1 : 1 + size[0], -size[1] :]
        label[-1, -1] = 255
        suffix = "tif" if kind == "32 bit" else "png"
        results = load(as_picture(label, kind), tmp_path, suffix=suffix)
        assert results["gt_seg_map"].dtype == np.uint8 and results["gt_seg_map"].shape == size
        assert np.array_equal(results["gt_seg_map"], label)
        assert results["unknown_pixels"] == ("colour" in kind) and results["seg_fields"] == ["gt_seg_map"]

    @pytest.mark.parametrize("kind", KINDS[:-3])
    @pytest.mark.parametrize("reduce_zero_label", [False, True])
    @pytest.mark.parametrize("classes", [None, ("cat", "background", "person")])
    def test_as_the_toolbox(self, kind, reduce_zero_label, classes, tmp_path):
        label = random_label()
        info = dict(reduce_zero_label=reduce_zero_label, label_map=PascalVOCDataset.get_label_map(classes))
        results = load(as_picture(label, kind), tmp_path, **info)
        expected = load(as_picture(label, "grey"), tmp_path, LoadAnnotations(), **info)
        assert np.array_equal(results["gt_seg_map"], expected["gt_seg_map"])
        assert len(np.unique(expected["gt_seg_map"])) > (2 if classes else 15)

    @pytest.mark.parametrize("reduce_zero_label", [False, True])
    def test_colours_of_fewer_classes(self, reduce_zero_label, tmp_path):
        """A palette is that of the classes: zero is reduced already, the map of classes applies."""
        label = random_label()
        classes = ("cat", "background", "person")
        label_map = PascalVOCDataset.get_label_map(classes)
        info = dict(reduce_zero_label=reduce_zero_label, label_map=label_map)
        expected = np.vectorize(lambda old: label_map.get(old, 255))(label)
        assert set(np.unique(expected)) == {0, 1, 2, 255}
        assert np.array_equal(load(as_picture(label, "colour"), tmp_path, **info)["gt_seg_map"], expected)

    def test_palette_as_a_list(self, tmp_path):
        label = random_label(classes=3)
        transform = LoadLabels([[int(v) for v in colour] for colour in PALETTE[[2, 0, 1]]], ignore_index=9)
        expected = np.choose(np.where(label == 255, 3, label), [1, 2, 0, 9])
        assert np.array_equal(load(as_picture(label, "colour"), tmp_path, transform)["gt_seg_map"], expected)

    def test_black_and_white(self, tmp_path):
        """Pictures of one bit hold 0 and 1."""
        label = random_label(classes=2) % 2
        results = load(Image.fromarray(label.astype(bool)), tmp_path)
        assert np.array_equal(results["gt_seg_map"], label) and {0, 1} == set(np.unique(label))


def test_one_warning_counts_unknown_colours(tmp_path, recwarn):
    label, transform = random_label(), LoadLabels("PascalVOCDataset")
    for columns in (9, 4):
        assert load(as_picture(label[:, :columns], "colour"), tmp_path, transform)["unknown_pixels"] == columns
    (warning,) = (w for w in recwarn if "palette" in str(w.message))
    assert str(warning.message).startswith(f"9 pixels of {tmp_path / 'label.png'} have colours that are not in")


@pytest.mark.parametrize(
    "picture, transform, message",
    [
        (as_picture(random_label(), "colour"), LoadLabels(), "a colour picture: give LoadLabels the palette"),
        (as_picture(random_label(), "colour"), LoadLabels([[0, 0, 0], [0, 0, 0]]), ".*same colour for several classes"),
        (Image.fromarray(np.full((2, 2), 1000, np.uint16)), None, "its values go from 1000 to 1000"),
        (Image.fromarray(np.full((2, 2), 256, np.uint16)), None, "its values go from 256 to 256"),
        (Image.fromarray(np.array([[-1, 3]], np.int32)), None, "its values go from -1 to 3"),
        (Image.fromarray(np.array([[0.5, 3]], np.float32)), None, "its values go from 0.5 to 3.0"),
    ],
)
def test_wrong_pictures(picture, transform, message, tmp_path):
    with pytest.raises(ValueError, match=rf"the label {tmp_path}/label.tif cannot be read: {message}"):
        load(picture, tmp_path, transform, suffix="tif")


def test_shared_colour_that_does_not_occur(tmp_path):
    """Palettes of the toolbox have a colour twice; other colours are clear."""
    picture = Image.fromarray(np.array([[[5, 5, 5], [1, 2, 3]]], np.uint8))
    transform = LoadLabels([[0, 0, 0], [5, 5, 5], [0, 0, 0], [1, 2, 3]])
    assert load(picture, tmp_path, transform)["gt_seg_map"].tolist() == [[1, 3]]


def test_truncated(tmp_path):
    path = tmp_path / "label.png"
    as_picture(random_label(60, 60), "grey").save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=rf"the label {path} cannot be read: .*truncated"):
        LoadLabels()(dict(seg_map_path=str(path), reduce_zero_label=False, seg_fields=[]))


@pytest.mark.parametrize("palette", ["NoDataset", "BaseSegDataset", []])
def test_wrong_palette(palette):
    with pytest.raises(ValueError, match="the palette of LoadLabels must be a dataset's name or a list of colours"):
        LoadLabels(palette)


def test_pictures_without_labels_pass():
    """As the toolbox's inference sends them through a pipeline."""
    assert LoadLabels()(dict(img_path="picture.jpg")) == dict(img_path="picture.jpg")
