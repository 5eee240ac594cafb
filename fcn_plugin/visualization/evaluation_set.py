"""The images that a config is validated or tested on, with their labels and predictions, as they are in the files."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mmcv.transforms import LoadAnnotations, LoadImageFromFile
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..checks.data import build_dataset
from ..checks.loaders import loaders_of
from ..datasets.transforms import LoadLabels
from ..datasets.transforms.loading import picture_of
from ..evaluation.index_png import read_indices
from ..evaluation.prediction_names import prediction_names
from ..utils.config import leaf_datasets
from ..utils.text import summarize


class EvaluationSet:
    """Images and labels of a split, read by the loading transforms of its pipeline.

    Attributes:
        classes: names of the classes.
        palette: RGB of each class.
        names: of the images, as their predictions are named (:func:`prediction_names`).

    Args:
        cfg (Config): config of an experiment.
        split (str): ``val`` or ``test`` (or ``train``).

    Raises:
        ValueError: if the config has no such split, it cannot be read, has no images or no labels, its parts differ in
            their classes, or predictions of two images would have the same name.
    """

    def __init__(self, cfg: Config, split: str = "val") -> None:
        loader = f"{split}_dataloader"
        if not cfg.get(loader):
            raise ValueError(f"the config has no {loader}")
        init_default_scope(cfg.get("default_scope") or "mmseg")
        self._samples: list[tuple[dict, LoadImageFromFile, LoadAnnotations]] = []
        metas, datasets = [], []
        for part in leaf_datasets(cfg[loader].dataset):
            dataset = build_dataset(part, loader)
            if dataset is None:
                raise ValueError(f"the {part.type} of {loader} is no BaseSegDataset: its labels are not known")
            steps = [*loaders_of(part.get("pipeline") or []), LoadImageFromFile(), LoadLabels()]
            image_loader = next(step for step in steps if isinstance(step, LoadImageFromFile))
            label_loader = next(step for step in steps if isinstance(step, LoadAnnotations))
            self._samples += [(sample, image_loader, label_loader) for sample in dataset.data_list]
            metas.append(dataset.metainfo)
            datasets.append(dataset)
        self.classes, self.palette = list(metas[0]["classes"]), [list(colour) for colour in metas[0]["palette"]]
        names = prediction_names(*datasets)
        self.names = [names[sample["img_path"]] for sample, *_ in self._samples]
        if any(list(meta["classes"]) != self.classes for meta in metas):
            raise ValueError(f"the data sets of {loader} differ in their classes")
        if not self.names:
            raise ValueError(f"{loader} has no images")
        if unlabelled := [sample["img_path"] for sample, *_ in self._samples if not sample.get("seg_map_path")]:
            raise ValueError(f"{loader} has images without labels: {summarize(unlabelled)}")
        if twice := [name for name, count in Counter(self.names).items() if count > 1]:
            raise ValueError(
                f"{loader} has several images of the same name ({summarize(twice)}), as predictions are named"
            )

    def __len__(self) -> int:
        return len(self.names)

    def image(self, index: int) -> np.ndarray:
        """An image: RGB, uint8 (H, W, 3)."""
        sample, loader, _ = self._samples[index]
        return np.ascontiguousarray(picture_of(loader(copy.deepcopy(sample))["img"], loader)[..., ::-1])

    def label(self, index: int) -> np.ndarray:
        """A label: class indices and 255 for pixels that do not count, uint8 (H, W)."""
        sample, _, loader = self._samples[index]
        return loader(copy.deepcopy(sample))["gt_seg_map"]

    def prediction(self, index: int, directory: str | Path) -> np.ndarray:
        """A prediction as ``tools/test.py --out`` wrote it, see :func:`read_indices`: uint8 (H, W)."""
        reduced = bool(self._samples[index][0].get("reduce_zero_label"))
        return read_indices(Path(directory, f"{self.names[index]}.png"), reduced)

    def check_predictions(self, directories: Mapping[str, Path]) -> None:
        """Check that there is a prediction for each image.

        Raises:
            FileNotFoundError: naming what is missing.
        """
        for directory in directories.values():
            missing = [f"{name}.png" for name in self.names if not Path(directory, f"{name}.png").is_file()]
            if missing:
                raise FileNotFoundError(
                    f"{directory} has no prediction for {len(missing)} of {len(self)} images ({summarize(missing)}):"
                    " write them with tools/test.py --out"
                )
