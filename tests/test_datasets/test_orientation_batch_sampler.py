import itertools

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.datasets import PascalVOCDataset
from PIL import Image

from fcn_plugin.utils.images import ORIENTATION

#: Height and width of the pictures, and their EXIF orientation.
SIZES = [(3, 5, 1), (6, 4, 1), (4, 6, 1), (5, 5, 1), (6, 3, 1), (4, 6, 6), (6, 4, 8), (3, 6, 3)]
WIDE = [True, False, True, False, False, False, True, True]


@pytest.fixture
def build(tmp_path):
    for folder in ("JPEGImages", "SegmentationClass"):
        (tmp_path / folder).mkdir()
    for number, (height, width, orientation) in enumerate(SIZES):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(
            tmp_path / f"JPEGImages/{number}.jpg", exif=exif if orientation > 1 else b""
        )
    (tmp_path / "list.txt").write_text("".join(f"{number}\n" for number in range(len(SIZES))))
    init_default_scope("mmseg")
    dataset = PascalVOCDataset(
        data_root=str(tmp_path),
        ann_file="list.txt",
        data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
        pipeline=[dict(type="LoadImageFromFile")],
    )
    cfg = dict(
        dataset=dataset,
        batch_size=2,
        num_workers=0,
        sampler=dict(type="SeededInfiniteSampler", shuffle=True),
        batch_sampler=dict(type="OrientationBatchSampler"),
    )
    return lambda: Runner.build_dataloader(cfg, seed=3)


def test_batches_are_of_one_orientation(build):
    """As OpenCV shows the pictures, so that each batch is padded within its kind."""
    batches = itertools.islice(build(), 40)
    kinds = []
    for batch in batches:
        assert len(batch["img"]) == 2
        wide = [WIDE[index] for index in batch["sample_idx"]]
        assert wide[0] == wide[1]
        assert [image.shape[1] > image.shape[0] for image in batch["img"]] == wide
        kinds.append(wide[0])
    assert {True, False} == set(kinds)


def test_order_and_seeds_of_the_sampler_are_kept(build):
    drawn = list(itertools.islice(build().batch_sampler.sampler, 120))
    batches = list(itertools.islice(build().batch_sampler, 40))
    for wide in (True, False):
        given = [index for batch in batches for index in batch if WIDE[index] == wide]
        expected = [index for index in drawn if WIDE[index] == wide][: len(given)]
        assert given == expected and len(given) > 20
        assert [index.seed for index in given] == [index.seed for index in expected]
