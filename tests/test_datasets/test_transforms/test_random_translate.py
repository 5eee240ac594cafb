"""Where the pixels of image and labels go, and how far."""

from collections import Counter

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmcv.transforms.utils import cache_random_params
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import TRANSFORMS

from fcn_plugin import config_dir
from fcn_plugin.datasets import RandomTranslate
from fcn_plugin.datasets.transforms.random_translate import translate
from fcn_plugin.utils.seeding import seed_generators


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(0)


def picture(height: int, width: int) -> dict:
    """Image, labels and depths in which every pixel says where it is."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return dict(
        img=np.stack([rows, columns, rows + columns], axis=-1),
        gt_seg_map=rows + columns,
        gt_depth_map=rows + columns / 1000,
        seg_fields=["gt_seg_map", "gt_depth_map"],
    )


@pytest.mark.parametrize("rows, columns", [(0, 0), (2, 0), (0, -3), (2, 3), (-2, 3), (-5, -6), (5, -6)])
def test_positions(rows, columns):
    array = np.arange(6 * 7, dtype=np.int64).reshape(6, 7)
    original = array.copy()
    moved = translate(array, rows, columns, -1)
    for row in range(6):
        for column in range(7):
            inside = 0 <= row - rows < 6 and 0 <= column - columns < 7
            assert moved[row, column] == (original[row - rows, column - columns] if inside else -1)
    assert np.array_equal(array, original) and moved is not array and moved.dtype == array.dtype
    assert (moved >= 0).sum() == (6 - abs(rows)) * (7 - abs(columns)) > 0


def test_image_and_all_labels_move_together():
    moves = set()
    for _ in range(20):
        before = picture(40, 50)
        transform = RandomTranslate(max_shift=8, pad_val=(200, 201, 202), seg_pad_val=250)
        after = transform(picture(40, 50))
        assert after["img"].dtype == np.uint8 and after["img"].flags.c_contiguous
        covered = (after["img"] != (200, 201, 202)).any(-1)
        row, column = np.argwhere(covered)[0]
        rows, columns = (int(a) - int(b) for a, b in zip((row, column), after["img"][row, column, :2]))
        moves.add((rows, columns))
        for key, fill in (("img", (200, 201, 202)), ("gt_seg_map", 250), ("gt_depth_map", 250)):
            assert np.array_equal(after[key], translate(before[key], rows, columns, fill)), key
            assert (after[key][~covered] == fill).all()
    assert len(moves) > 15


@pytest.mark.parametrize("options, limit", [(dict(max_shift=3), 3), ({}, 32)])
def test_uniform_over_whole_pixels(options, limit):
    transform, number = RandomTranslate(**options), 2000 * (2 * limit + 1)
    shifts = [transform.random_shift(400, 500) for _ in range(number)]
    for axis in zip(*shifts):
        counts = Counter(axis)
        assert sorted(counts) == list(range(-limit, limit + 1))
        assert all(count == pytest.approx(2000, rel=0.1) for count in counts.values())
    assert limit > 3 or len(Counter(shifts)) == 49  # rows and columns are independent


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (5, 3), (33, 32)])
def test_small_pictures_never_leave(size):
    seen = set()
    for _ in range(300):
        after = RandomTranslate(pad_val=255)(picture(*size))
        seen.add(int((after["gt_seg_map"] != 255).sum()))
    assert min(seen) >= 1 and max(seen) <= size[0] * size[1]
    assert size != (5, 3) or 1 in seen  # a single pixel may remain


def test_probability():
    transform = RandomTranslate(prob=0.25)
    shifts = [transform.random_shift(400, 500) for _ in range(4000)]
    assert sum(shift != (0, 0) for shift in shifts) == pytest.approx(1000, abs=100)
    np.random.seed(0)  # the generator that the sample's seed sets decides all
    assert [transform.random_shift(400, 500) for _ in range(4000)] == shifts
    for still in (RandomTranslate(prob=0), RandomTranslate(max_shift=0)):
        before, after = picture(40, 50), still(picture(40, 50))
        assert all(np.array_equal(after[key], before[key]) for key in ("img", "gt_seg_map", "gt_depth_map"))


def test_images_without_labels_and_in_grey():
    after = RandomTranslate(pad_val=-1.0)(dict(img=np.ones((40, 50), np.float32)))["img"]
    assert after.shape == (40, 50) and set(np.unique(after)) == {-1, 1}


def test_draws_can_be_shared():
    """The toolbox's wrappers transform several pictures alike by caching the draws."""
    transform = RandomTranslate()
    with cache_random_params(transform):
        first, second = (transform(picture(40, 50)) for _ in range(2))
    assert np.array_equal(first["img"], second["img"])


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(max_shift=-1), "max_shift must be an integer of at least 0"),
        (dict(max_shift=1.5), "max_shift must be an integer of at least 0"),
        (dict(prob=1.5), "prob must lie between 0 and 1, got 1.5"),
        (dict(prob=-0.1), "prob must lie between 0 and 1, got -0.1"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        RandomTranslate(**settings)


def test_seeded_by_the_sample(voc):
    """In the shipped pipeline, a sample's seed decides, and image and labels stay together."""
    init_default_scope("mmseg")
    cfg = Config.fromfile(config_dir() / "fcn32s-augmented_vgg16_cvpr_sbd.py")
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert [step.type for step in pipeline[2:4]] == ["RandomFlip", "RandomTranslate"]
    transforms = Compose([TRANSFORMS.build(step) for step in pipeline])
    sample = dict(img_path=f"{voc}/JPEGImages/image0.jpg", seg_map_path=f"{voc}/SegmentationClass/image0.png")

    def load(seed: int) -> tuple[np.ndarray, np.ndarray]:
        seed_generators(seed)
        packed = transforms(dict(sample, seg_fields=[], reduce_zero_label=False))
        return packed["inputs"].numpy(), packed["data_samples"].gt_sem_seg.data[0].numpy()

    pictures = [load(seed) for seed in range(8)]
    fill = np.array([104, 117, 123])  # nearly zero for the network
    assert np.abs(fill - cfg.model.data_preprocessor.mean).max() < 0.5
    for image, label in pictures:
        filled = (image == fill[:, None, None]).all(0)
        assert 0 < filled.sum() and (label[filled] == cfg.model.data_preprocessor.seg_pad_val).mean() > 0.9
    assert len({image.tobytes() for image, _ in pictures}) == 8
    for expected, actual in zip(pictures[3], load(3)):
        assert np.array_equal(actual, expected)


def test_fill_of_other_bands_than_the_picture():
    step = RandomTranslate(3)
    with pytest.raises(ValueError, match=r"pad_val=\(104, 117, 123\) has 3 values, a picture 4 bands"):
        step(dict(img=np.zeros((8, 9, 4), np.float32)))
    assert RandomTranslate(3, pad_val=7)(dict(img=np.zeros((8, 9, 4), np.float32)))["img"].shape == (8, 9, 4)
