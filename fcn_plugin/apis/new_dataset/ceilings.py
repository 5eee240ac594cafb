"""How fine the maps of a network must be for the things in the labels of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ...evaluation.confusion import class_areas, confusion_matrix
from ...evaluation.fcn_metric import fcn_scores
from ...evaluation.index_png import read_indices
from ...paper.oracle import oracle_prediction
from ...utils.progress import in_threads

STRIDES = (8, 4, 2)  #: of the finest map that a network may have, in pixels
MOST_LABELS, MOST_PIXELS = 32, 1024  #: labels that are looked at, and rows and columns in the middle of each


def label_ceilings(files: Sequence[Path], num_classes: int) -> dict[int, float]:
    """The best mean IU that is possible at each of STRIDES, seen on some of the labels.

    Args:
        files (Sequence[Path]): labels as index PNGs; some of them, evenly over all, are looked at.
        num_classes (int): number of classes.

    Returns:
        dict[int, float]: from 0 to 1, by stride; empty if no pixel is labelled.
    """
    chosen = [files[index] for index in np.linspace(0, len(files) - 1, min(MOST_LABELS, len(files)), dtype=int)]

    def areas_of(file: Path) -> np.ndarray:
        label = torch.from_numpy(_middle(read_indices(file)))
        predictions = [oracle_prediction(label, stride) for stride in STRIDES]
        return np.stack([class_areas(confusion_matrix(prediction, label, num_classes)) for prediction in predictions])

    totals = sum(in_threads(areas_of, chosen, "Looking for thin things in the labels"))
    means = {stride: fcn_scores(*areas).mean_iu for stride, areas in zip(STRIDES, totals)}
    return {stride: mean for stride, mean in means.items() if not np.isnan(mean)}


def _middle(label: np.ndarray) -> np.ndarray:
    top, left = (max(0, side - MOST_PIXELS) // 2 for side in label.shape)
    return np.ascontiguousarray(label[top : top + MOST_PIXELS, left : left + MOST_PIXELS])
