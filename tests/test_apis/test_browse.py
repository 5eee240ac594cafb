import itertools

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from testing.utils import IMAGE_SIZE, run_tool, tiny_config

from fcn_plugin import config_dir
from fcn_plugin.apis.browse import (
    GAP,
    NO_CLASS,
    OPACITY,
    NetworkInput,
    _picture,
    browse,
    build_loader,
    draw,
    legend_of,
    network_inputs,
    paint_labels,
)
from fcn_plugin.datasets import CamVidDataset
from fcn_plugin.utils.config import set_data_root

HEIGHT, WIDTH = IMAGE_SIZE
PALETTE = [[0, 0, 0], [200, 0, 0], [0, 100, 0]]
CLASSES = ("background", "red", "green")


def example(size=(20, 30), padding=(0, 0)):
    """Class 1 at the upper left, 2 at the lower right, ignored pixels in the last rows."""
    height, width = size
    labels = np.full((height + padding[0], width + padding[1]), 255)
    labels[:height, :width] = 0
    labels[:5, :7] = 1
    labels[5:10, 20:width] = 2
    labels[height - 4 :] = 255
    image = np.random.default_rng(0).integers(0, 256, (*labels.shape, 3), dtype=np.uint8)
    return NetworkInput("folder/picture.jpg", image, labels, size)


class TestPaint:
    def test_classes(self):
        sample = example()
        painted = paint_labels(sample, PALETTE)
        for (row, column), colour in {(0, 0): 1, (4, 6): 1, (5, 20): 2, (9, 29): 2, (5, 6): 0, (4, 7): 0}.items():
            expected = (1 - OPACITY) * sample.image[row, column] + OPACITY * np.array(PALETTE[colour])
            assert np.abs(painted[row, column] - expected).max() <= 0.5

    def test_ignored_pixels_are_striped(self):
        sample = example()
        painted = paint_labels(sample, PALETTE)[16:]
        white, black = (painted == 255).all(-1), (painted == 0).all(-1)
        assert 0.1 < white.mean() < 0.25 and 0.1 < black.mean() < 0.25
        rest = ~(white | black)
        assert (painted[rest] == sample.image[16:][rest]).all()

    def test_padding_is_crossed(self):
        sample = example(padding=(6, 12))
        white = (paint_labels(sample, PALETTE) == 255).all(-1)
        assert white[20:].mean() > 1.5 * white[16:20, :30].mean()
        assert white[:16, 30:].mean() > 0.25 and white[:16, :30].mean() < 0.01

    def test_strange_indices(self):
        sample = example()
        sample.labels[0, 0], sample.labels[0, 1] = 3, 300
        painted = paint_labels(sample, PALETTE)
        for column in (0, 1):
            expected = (1 - OPACITY) * sample.image[0, column] + OPACITY * np.array(NO_CLASS)
            assert np.abs(painted[0, column] - expected).max() <= 0.5
        legend = dict(legend_of(sample, CLASSES, PALETTE))
        assert legend["index 3, no class 0.2 %"] == legend["index 300, no class 0.2 %"] == NO_CLASS

    def test_another_ignored_index(self):
        sample = example()
        sample.labels[sample.labels == 255] = 7
        assert np.array_equal(paint_labels(sample, PALETTE, 7), paint_labels(example(), PALETTE))


def test_legend():
    """Classes that are there with their share of the image without its padding."""
    assert legend_of(example(padding=(6, 12)), CLASSES, PALETTE) == [
        ("background 65.8 %", (0, 0, 0)),
        ("red 5.8 %", (200, 0, 0)),
        ("green 8.3 %", (0, 100, 0)),
        ("ignored (striped) 20.0 %", (255, 255, 255)),
        ("padded (crossed) to 42x26", (255, 255, 255)),
    ]
    sample = example()
    sample.labels[:] = 1
    assert legend_of(sample, CLASSES, PALETTE) == [("red 100.0 %", (200, 0, 0))]


@pytest.mark.parametrize("size", [(20, 30), (120, 400)])
def test_draw(size):
    """Image and painted image beside each other, pixel by pixel; the colours of the legend are below."""
    sample = example(size)
    drawn = np.array(draw(sample, CLASSES, PALETTE))
    height, width = size
    assert np.array_equal(drawn[:height, :width], sample.image)
    assert np.array_equal(drawn[:height, width + GAP : 2 * width + GAP], paint_labels(sample, PALETTE))
    below = {tuple(colour) for colour in drawn[height:].reshape(-1, 3).tolist()}
    assert {tuple(colour) for colour in PALETTE} <= below


def test_legend_of_many_classes_wraps():
    sample = example((40, 40))
    sample.labels[:] = np.arange(1600).reshape(40, 40) % 20
    palette = [[index, 200, 7] for index in range(20)]
    drawn = np.array(draw(sample, [f"a class of name {index}" for index in range(20)], palette))
    assert drawn.shape[1] == 480 and drawn.shape[0] > 40 + 18 * 6
    below = {tuple(colour) for colour in drawn[40:].reshape(-1, 3).tolist()}
    assert {tuple(colour) for colour in palette} <= below


def config(voc, name="fcn32s_vgg16_voc", **settings):
    cfg = Config.fromfile(config_dir() / f"{name}.py")
    cfg.merge_from_dict(settings)
    set_data_root(cfg, str(voc))
    return cfg


def files_of(voc, sample):
    name = sample.path.rsplit("/", 1)[1][:-4]
    label = np.array(Image.open(voc / f"SegmentationClass/{name}.png"))
    return np.array(Image.open(voc / f"JPEGImages/{name}.jpg")), label


@pytest.mark.parametrize("name", ["fcn32s_vgg16_voc", "fcn32s_vgg16_camvid", "fcn32s_vgg16_shapes"])
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_seen_as_it_is_in_the_files(name, split, voc):
    """In colour, at native size; what is mirrored is so with its labels."""
    cfg = config(voc, name)
    both = set()
    for sample in itertools.islice(network_inputs(cfg, build_loader(cfg, split), split == "train"), 8):
        image, label = files_of(voc, sample)
        if sample.mirrored:
            image, label = image[:, ::-1], label[:, ::-1]
        assert np.array_equal(sample.labels, label) and sample.size == IMAGE_SIZE
        assert np.abs(sample.image.astype(int) - image).max() <= 3  # two decoders of JPEG
        both.add(sample.mirrored)
    assert both == ({True, False} if split == "train" and "voc" not in name else {False})


@pytest.mark.parametrize(
    "settings",
    [
        dict(bgr_to_rgb=True),
        dict(bgr_to_rgb=True, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
        dict(mean=None, std=None),
    ],
)
def test_other_preprocessing(settings, voc):
    cfg = config(voc, **{f"model.data_preprocessor.{key}": value for key, value in settings.items()})
    sample = next(network_inputs(cfg, build_loader(cfg, "val"), False))
    assert np.abs(sample.image.astype(int) - files_of(voc, sample)[0]).max() <= 3


def test_padded_batch(voc, tmp_path):
    """Images of different sizes: at the upper left of the largest one, ignored around it."""
    folder = tmp_path / "JPEGImages"
    folder.mkdir()
    (tmp_path / "SegmentationClass").mkdir()
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    sizes = {"a": (20, 30), "b": (25, 12)}
    for name, size in sizes.items():
        Image.fromarray(np.full((*size, 3), 50, np.uint8)).save(folder / f"{name}.jpg")
        Image.fromarray(np.full(size, 3, np.uint8)).save(tmp_path / f"SegmentationClass/{name}.png")
    for split in ("train", "val"):
        (tmp_path / f"ImageSets/Segmentation/{split}.txt").write_text("a\nb\n")
    cfg = config(tmp_path, **{"train_dataloader.batch_size": 2})
    for sample in itertools.islice(network_inputs(cfg, build_loader(cfg, "train"), True), 2):
        height, width = sizes[sample.path[-5]]
        assert sample.size == (height, width) and sample.labels.shape == (25, 30) and sample.image.shape == (25, 30, 3)
        assert (sample.labels[:height, :width] == 3).all()
        assert (sample.labels == 3).sum() == height * width and (sample.labels == 255).sum() == 750 - height * width
        assert np.abs(sample.image[:height, :width].astype(int) - 50).max() <= 2
        assert (sample.image[height:] == [123, 117, 104]).all()  # the mean colour: zeros after the preprocessing


def test_the_same_pictures_as_training(voc, tmp_path):
    """The run's seed, order and random transforms."""
    cfg = config(voc, "fcn32s_vgg16_camvid")
    first, second = [
        [(s.path, s.mirrored) for s in itertools.islice(network_inputs(cfg, build_loader(cfg, "train"), True), 12)]
        for _ in range(2)
    ]
    assert first == second and len(set(first)) > 5


@pytest.mark.parametrize(
    "split, number, message",
    [("val", 0, "number of pictures must be at least 1, got 0"), ("no", 1, "no no_dataloader")],
)
def test_wrong_arguments(split, number, message, voc, tmp_path):
    with pytest.raises(ValueError, match=message):
        browse(config(voc), split, tmp_path / "out", number)
    assert not (tmp_path / "out").exists()


def test_no_images(voc, tmp_path):
    (tmp_path / "empty.txt").touch()
    cfg = config(voc, **{"val_dataloader.dataset.ann_file": str(tmp_path / "empty.txt")})
    with pytest.raises(ValueError, match=rf"the list {tmp_path}/empty.txt has no images"):
        browse(cfg, "val", tmp_path / "out")


def test_tool(voc, tmp_path):
    """The picture of a label is where the label is."""
    config = tiny_config(tmp_path, voc, "fcn32s_vgg16_camvid")
    arguments = ("browse_dataset.py", config, "--split", "val", "--data-root", voc / "camvid", "--number", 5)
    outcome = run_tool(*arguments, "--cfg-options", "randomness.seed=1", cwd=tmp_path).check()
    folder = tmp_path / "work_dirs/fcn32s/browse_val"
    assert "Saved 2 pictures in work_dirs/fcn32s/browse_val." in outcome.stdout
    assert sorted(file.name for file in folder.iterdir()) == ["0000_image4.png", "0001_image5.png"]
    drawn = np.array(Image.open(folder / "0001_image5.png")).astype(int)
    image, painted = drawn[:HEIGHT, :WIDTH], drawn[:HEIGHT, WIDTH + GAP : 2 * WIDTH + GAP]
    label = np.array(Image.open(voc / "camvid/SegmentationClass/image5.png"))
    palette = np.array(CamVidDataset.METAINFO["palette"])
    known = label != 255
    expected = (1 - OPACITY) * image[known] + OPACITY * palette[label[known]]
    assert known.sum() > 500 and np.abs(painted[known] - expected).max() <= 1
    refused = run_tool("browse_dataset.py", config, "--data-root", "nowhere", cwd=tmp_path)
    assert refused.returncode == 1 and "nowhere/JPEGImages, which does not exist" in refused.errors[0]


def test_model_that_leaves_its_preparation_to_the_segmentor(voc, tmp_path):
    """The pictures are those of the files all the same."""
    cfg = config(voc)
    expected = [np.array(Image.open(file)) for file in browse(cfg, "val", tmp_path / "given", 1)]
    cfg.model.pop("data_preprocessor")
    found = [np.array(Image.open(file)) for file in browse(cfg, "val", tmp_path / "default", 1)]
    assert len(found) == 1 and np.array_equal(found[0], expected[0])


@pytest.mark.parametrize("channels, highest", [(1, 255), (4, 255), (3, 1.0), (4, 60000)])
def test_images_that_are_no_colours(channels, highest):
    """Grey is shown as it is, of many bands the first three, and other values are stretched."""
    mean, std = [highest / 3] * channels, [highest / 4] * channels
    image = np.random.default_rng(0).uniform(0, highest, (6, 8, channels)).astype(np.float32)
    image[0, 0], image[0, 1] = 0, highest
    inputs = torch.from_numpy((image - mean) / std).permute(2, 0, 1)
    seen = _picture(inputs, dict(mean=mean, std=std, bgr_to_rgb=False))
    shown = image[..., [2, 1, 0] if channels > 1 else [0, 0, 0]]
    assert np.abs(seen - shown * (255 / highest)).max() <= 0.6
