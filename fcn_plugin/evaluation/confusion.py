"""Confusion matrices, counted exactly."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

IGNORE_INDEX = 255  #: of pixels that do not count


def confusion_matrix(
    prediction: Tensor | np.ndarray,
    label: Tensor | np.ndarray,
    num_classes: int,
    ignore_index: int = IGNORE_INDEX,
) -> np.ndarray:
    """Count the pixels of each class that are predicted as each class, without those ignored in the label.

    Args:
        prediction (Tensor | np.ndarray): class indices (H, W), on any device.
        label (Tensor | np.ndarray): class indices (H, W).
        num_classes (int): number of classes.
        ignore_index (int): pixels with this label do not count.

    Returns:
        np.ndarray: int64 (num_classes, num_classes), a row for each true class, a column for each predicted one.

    Raises:
        ValueError: if the sizes differ, or there are indices beyond the classes.
    """
    prediction, label = torch.as_tensor(prediction), torch.as_tensor(label)
    if prediction.shape != label.shape:
        raise ValueError(f"the prediction has {tuple(prediction.shape)} pixels, the label {tuple(label.shape)}")
    counted = label != ignore_index
    # two classes of one logit are predicted in floating point
    prediction, label = prediction[counted].long(), label[counted].long()
    for what, indices in (("label", label), ("prediction", prediction)):
        if (beyond := indices[(indices < 0) | (indices >= num_classes)]).numel():
            raise ValueError(
                f"index {int(beyond[0])} in the {what}, but the data set has {num_classes} classes"
                f" (ignored index: {ignore_index})"
            )
    pairs = torch.bincount(num_classes * label + prediction, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes).cpu().numpy()


def class_areas(matrix: np.ndarray) -> np.ndarray:
    """Pixels of each class that are right, predicted and labelled, int64 (3, num_classes), of a confusion matrix."""
    return np.stack([matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1)])
