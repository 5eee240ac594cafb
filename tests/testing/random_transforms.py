"""Transforms that draw from generators of several kinds, and datasets that read with them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmseg.datasets import PascalVOCDataset
from mmseg.registry import DATASETS, TRANSFORMS

GENERATORS = {
    "python": random.random,
    "numpy": np.random.rand,
    "torch": lambda: torch.rand(1).item(),
    "own": np.random.default_rng().random,
}


class Brightness:
    """As albumentations' Compose: a generator of its own, which can be seeded."""

    def __init__(self) -> None:
        self.generator = np.random.default_rng()

    def set_random_seed(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return image + self.generator.random()


@TRANSFORMS.register_module()
class DrawNumber(BaseTransform):
    """Adds a number from a generator to the image."""

    def __init__(self, generator: str = "numpy") -> None:
        self.generator = generator

    def transform(self, results: dict) -> dict:
        results["img"] = results["img"] + GENERATORS[self.generator]()
        return results


@TRANSFORMS.register_module()
class StandInAlbu(BaseTransform):
    """As mmseg's Albu: hands the image to something that is no transform of the toolbox."""

    def __init__(self) -> None:
        self.aug = Brightness()

    def transform(self, results: dict) -> dict:
        results["img"] = self.aug(results["img"])
        return results


@DATASETS.register_module()
class DrawingDataset(PascalVOCDataset):
    """Draws a number itself, from a generator that nothing seeds."""

    def prepare_data(self, idx: int) -> dict:
        return dict(super().prepare_data(idx), drawn=GENERATORS["own"]())


@DATASETS.register_module()
class CategorizedVOCDataset(PascalVOCDataset):
    """With what ClassBalancedDataset asks for: every second picture has a rare class."""

    def get_cat_ids(self, idx: int) -> list[int]:
        return [0, 1] if int(idx) == 2 else [0]


def voc_dataset(voc: Path, *steps: str | dict, kind: str = "PascalVOCDataset") -> dict:
    """Config of the tiny training set with steps behind those that load."""
    load = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")]
    return dict(
        type=kind,
        serialize_data=False,  # a full garbage collection each
        data_root=str(voc),
        ann_file="ImageSets/Segmentation/train.txt",
        data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
        pipeline=[*load, *(dict(type=step) if isinstance(step, str) else step for step in steps)],
    )


def train_loader(dataset: dict | BaseDataset, sampler: str = "SeededInfiniteSampler", **settings) -> dict:
    """Config of a dataloader."""
    return dict(dict(dataset=dataset, batch_size=2, num_workers=0, sampler=dict(type=sampler)), **settings)
