"""A tiny data set of TIFFs of four bands of 16 bits, and a config for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from .utils import POOL5, ROOT, WIDTH

BANDS, SIZE = 4, (40, 48)
MEAN, STD = [500.0, 1000.0, 20000.0, 30000.0], [100.0, 200.0, 4000.0, 3000.0]
CLASSES, PALETTE = ("land", "water"), [[120, 90, 40], [0, 0, 250]]


def picture(seed: int, bands: int = BANDS, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Noise about the means, uint16 (H, W, bands)."""
    mean, std = (np.resize(values, bands) for values in (MEAN, STD))
    noise = np.random.default_rng(seed).normal(mean, std, (*size, bands))
    return noise.clip(0, 65535).astype(np.uint16)


def write_tiff(path: Path, image: np.ndarray, **options) -> None:
    """Save a picture (H, W, bands) with its bands first, as satellites' are."""
    if image.shape[2] > 1:
        options["planarconfig"] = "separate"
    tifffile.imwrite(path, image.transpose(2, 0, 1).squeeze(), photometric="minisblack", **options)


def make_bands(root: Path) -> Path:
    """Write four pictures to train on, and two to validate on: the fourth band is higher where there is water."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(6):
        label = np.zeros(SIZE, np.uint8)
        label[:, 6 * number : 6 * number + 20] = 1
        image = picture(number)
        image[..., 3] += 20000 * label.astype(np.uint16)
        write_tiff(root / f"images/{number}.tif", image)
        Image.fromarray(label).save(root / f"masks/{number}.png")
    (root / "train.txt").write_text("0\n1\n2\n3\n")
    (root / "val.txt").write_text("4\n5\n")
    return root


def bands_config(folder: Path, root: Path) -> Path:
    """Write a config of a narrow FCN-32s for these pictures, with two iterations of training in batches of two."""
    path = folder / "bands.py"
    path.write_text(f"""_base_ = [
    {str(ROOT / "configs/_base_/models/fcn_vgg16.py")!r}, {str(ROOT / "configs/_base_/default_runtime.py")!r}]
load = [dict(type='LoadBands'), dict(type='LoadLabels')]
pack = [dict(type='PackSegInputs')]
dataset = dict(
    type='BaseSegDataset', data_root={str(root)!r}, img_suffix='.tif',
    metainfo=dict(classes={CLASSES}, palette={PALETTE}), data_prefix=dict(img_path='images', seg_map_path='masks'))
crop = [dict(type='RandomCrop', crop_size=(32, 32)), dict(type='RandomFlip', prob=0.5)]
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(ann_file='train.txt', pipeline=load + crop + pack, **dataset))
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='val.txt', pipeline=load + pack, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(type='FCNMetric')
test_evaluator = val_evaluator
data_preprocessor = dict(type='BandsDataPreProcessor', mean={MEAN}, std={STD})
model = dict(
    data_preprocessor=data_preprocessor,
    backbone=dict(depth=11, in_channels={BANDS}, width={WIDTH}, init_cfg=None),
    neck=dict(in_channels={POOL5}, channels=8, init_cfg=None),
    decode_head=dict(num_classes={len(CLASSES)}))
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
""")
    return path
