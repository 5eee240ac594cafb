"""Facts of new data sets, and a tiny one that is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from fcn_plugin.apis.new_dataset.facts import DatasetFacts

TINY = "test_efficientnet"  #: timm's own for tests: 0.4 million weights


def only(values: Iterable[object]) -> object:
    (value,) = values
    return value


def facts(**changes: object) -> DatasetFacts:
    """Facts of 20 pictures of thin vessels, some of which are changed."""
    usual = dict(
        classes=("background", "vessel"),
        palette=((0, 0, 0), (255, 255, 255)),
        splits=dict(train=16, val=4),
        sizes=[(584, 565)] * 16,
        largest=(584, 565),
        bands=3,
        bits=8,
        mean=(127.0, 68.0, 41.0),
        std=(85.0, 44.0, 28.0),
        class_pixels=(4_000_000, 600_000),
        image_suffix=".png",
    )
    return DatasetFacts(**{**usual, **changes})


def draw(root: Path) -> Path:
    """Four pictures of a bright cross in VOC layout, three to train on."""
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(4):
        label = np.zeros((48, 64), np.uint8)
        label[8 * number : 8 * number + 6] = label[:, 12 * number : 12 * number + 6] = 1
        picture = 150 * label[..., None] + random.integers(0, 90, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(picture).save(root / f"JPEGImages/{number}.png")
        Image.fromarray(label).save(root / f"SegmentationClass/{number}.png")
    (root / "ImageSets/Segmentation/train.txt").write_text("0\n1\n2\n")
    (root / "ImageSets/Segmentation/val.txt").write_text("3\n")
    return root
