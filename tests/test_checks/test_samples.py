"""Images of all modes: what the toolbox's loader makes of them, and that the check accepts just those."""

import copy

import cv2
import numpy as np
import pytest
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.registry import init_default_scope
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS
from PIL import Image, ImageOps

from fcn_plugin.checks.loaders import loaders_of
from fcn_plugin.checks.parts import steps_of
from fcn_plugin.checks.samples import SampleCheck, steps_of_others
from fcn_plugin.datasets.transforms import LoadLabels
from fcn_plugin.utils.images import ORIENTATION, orientation_of

LOADERS = [dict(type="LoadImageFromFile"), dict(type="LoadLabels"), dict(type="RandomFlip", prob=1.0)]
GRADIENT = np.indices((40, 60)).sum(0).astype(np.uint8) * 2
COLOURS = np.stack([GRADIENT, 255 - GRADIENT, GRADIENT // 2], -1)
GREY = np.dstack([GRADIENT] * 3)
IMAGES = {
    "colour": ("png", Image.fromarray(COLOURS), COLOURS),
    "grey": ("png", Image.fromarray(GRADIENT), GREY),
    "grey JPEG": ("jpg", Image.fromarray(GRADIENT), GREY),
    "grey with alpha": ("png", Image.merge("LA", [Image.fromarray(GRADIENT), Image.fromarray(255 - GRADIENT)]), GREY),
    "colour with alpha": ("png", Image.fromarray(np.dstack([COLOURS, GRADIENT])), COLOURS),
    "CMYK": ("jpg", Image.fromarray(COLOURS).convert("CMYK"), COLOURS),
    "one bit": ("png", Image.fromarray(GRADIENT > 99), 255 * (GREY > 99)),
    "palette": ("png", Image.fromarray(COLOURS // 64 * 64).quantize(64), COLOURS // 64 * 64),
    "16 bit grey": ("png", Image.fromarray(GRADIENT.astype(np.uint16) * 257), GREY),
    "16 bit colour": ("png", COLOURS.astype(np.uint16) * 257, COLOURS),
}


@pytest.fixture
def check():
    init_default_scope("mmseg")
    return SampleCheck(loaders_of(LOADERS), num_classes=2)


def sample_of(folder, suffix, picture, size=(40, 60), **options):
    """Write an image and a label of one size, and describe them as a dataset does."""
    image, label = folder / f"image.{suffix}", folder / "label.png"
    if isinstance(picture, np.ndarray):
        cv2.imwrite(str(image), picture[..., ::-1])
    else:
        picture.save(image, **(dict(quality=98, subsampling=0) if suffix == "jpg" else {}), **options)
    Image.fromarray(np.zeros(size, np.uint8)).save(label)
    return dict(img_path=str(image), seg_map_path=str(label), reduce_zero_label=False, label_map=None, seg_fields=[])


def load(check, sample):
    """As OpenCV has it (BGR), turned to RGB."""
    return check.loaders[0](dict(sample))["img"][..., ::-1]


@pytest.mark.parametrize("kind", IMAGES)
def test_image_modes(kind, check, tmp_path):
    """The toolbox makes 3-channel uint8 of all of them; transparency is passed over."""
    suffix, picture, expected = IMAGES[kind]
    sample = sample_of(tmp_path, suffix, picture)
    assert check(sample).problems == []
    image = load(check, sample)
    assert image.dtype == np.uint8 and image.shape == (40, 60, 3)
    assert np.abs(image.astype(int) - expected).max() <= (4 if suffix == "jpg" else 0)


@pytest.mark.skipif(int(cv2.__version__[0]) < 5, reason="OpenCV 4 turns floating point pictures into 8-bit colour")
def test_floating_point_image(check, tmp_path):
    """OpenCV 5 refuses it as 8-bit colour: an error, not a picture of zeros."""
    sample = sample_of(tmp_path, "tiff", COLOURS.astype(np.float32) / 255)
    assert check(sample).problems == [("unreadable image", f"{sample['img_path']}: truncated, or not a picture")]


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation, suffix, check, tmp_path):
    """Images are turned as they are shown, for labels that are drawn on them as they are shown."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    size = (40, 60) if orientation < 5 else (60, 40)
    sample = sample_of(tmp_path, suffix, Image.fromarray(COLOURS), size, exif=exif)
    assert orientation_of(sample["img_path"]) == orientation
    assert check(sample).problems == []
    with Image.open(sample["img_path"]) as picture:
        expected = np.array(ImageOps.exif_transpose(picture))
    assert expected.shape[:2] == size
    assert np.abs(load(check, sample).astype(int) - expected).max() <= 3


RESIZE = dict(type="Resize", scale=(8, 8))
TTA = dict(
    type="TestTimeAug",
    transforms=[
        [RESIZE, dict(type="Resize", scale_factor=2.0)],
        [dict(type="LoadLabels")],
        [dict(type="PackSegInputs")],
    ],
)


@TRANSFORMS.register_module()
class FromAnotherLibrary(BaseTransform):
    """Has transforms of another registry, as Albu."""

    def __init__(self, transforms):
        self.transforms = transforms

    def transform(self, results):
        return results


@pytest.mark.parametrize(
    "steps, expected",
    [
        ([dict(type="LoadLabels"), dict(type="RandomFlip", prob=1.0)], LoadLabels),
        ([RESIZE, dict(type="LoadLabels")], LoadLabels),
        ([RESIZE, dict(type="mmseg.LoadAnnotations")], LoadAnnotations),
        ([RESIZE, dict(type=LoadAnnotations)], LoadAnnotations),
        ([RESIZE, LoadAnnotations()], LoadAnnotations),
        ([TTA], LoadLabels),
        ([dict(type="RandomApply", transforms=[dict(type="LoadLabels")])], LoadLabels),
        ([dict(type="RandomChoice", transforms=[[RESIZE], [dict(type="LoadLabels")]])], LoadLabels),
        ([dict(type="FromAnotherLibrary", transforms=[dict(type="Unknown")]), dict(type="LoadLabels")], LoadLabels),
        ([RESIZE], None),
    ],
)
def test_loaders_wherever_they_stand(steps, expected, check):
    """Known by their classes; the given pipeline stays as it is."""
    pipeline = [dict(type="LoadImageFromFile"), *steps]
    before = copy.deepcopy(pipeline)
    found = [type(loader) for loader in loaders_of(pipeline)]
    assert found == [LoadImageFromFile, *([expected] if expected else [])]
    assert str(pipeline) == str(before)


def test_steps_that_may_change_labels(check):
    inner = dict(type="FromAnotherLibrary", transforms=[])
    pipeline = [*LOADERS, RESIZE, dict(type="RandomApply", transforms=[RESIZE, inner])]
    assert steps_of_others(steps_of(pipeline)) == ["FromAnotherLibrary"]
    assert steps_of_others(steps_of(pipeline[:-1])) == []


def test_the_sample_is_left_as_it_is(check, tmp_path):
    """What is read does not stay in memory."""
    sample = sample_of(tmp_path, "png", Image.fromarray(COLOURS))
    before = copy.deepcopy(sample)
    assert check(sample).problems == [] and sample == before


def test_negative_indices(check, tmp_path):
    """As a loader of one's own may give them."""
    sample = sample_of(tmp_path, "png", Image.fromarray(COLOURS))
    check.loaders[1] = lambda results: results | dict(gt_seg_map=np.full((40, 60), -1))
    assert check(sample).problems == [("index", f"{sample['seg_map_path']}: -1 (pixels: 2400)")]


def test_files_in_another_storage(check):
    """Nothing is known of them until they are read."""
    sample = dict(img_path="petrel://bucket/image.jpg", seg_map_path="petrel://bucket/label.png", seg_fields=[])
    findings = check(sample | dict(reduce_zero_label=False))
    assert [kind for kind, _ in findings.problems] == ["unreadable image", "unreadable label"]
    assert all("petrel://bucket/" in text for _, text in findings.problems)
