"""Confusion matrices, counted exactly."""

from __future__ import annotations

import numpy as np

IGNORE_INDEX = 255  #: of pixels that do not count


def confusion_matrix(
    prediction: np.ndarray, label: np.ndarray, num_classes: int, ignore_index: int = IGNORE_INDEX
) -> np.ndarray:
    """Count the pixels of each class that are predicted as each class.

    Args:
        prediction (np.ndarray): class indices (H, W).
        label (np.ndarray): class indices (H, W).
        num_classes (int): number of classes.
        ignore_index (int): pixels with this label do not count.

    Returns:
        np.ndarray: int64 (num_classes, num_classes), a row for each true class, a column for each predicted one.

    Raises:
        ValueError: if the sizes differ, or there are indices beyond the classes.
    """
    if prediction.shape != label.shape:
        raise ValueError(f"the prediction has {prediction.shape} pixels, the label {label.shape}")
    counted = label != ignore_index
    prediction, label = prediction[counted].astype(np.int64), label[counted].astype(np.int64)
    for what, indices in (("prediction", prediction), ("label", label)):
        if (highest := indices.max(initial=0)) >= num_classes:
            raise ValueError(f"index {highest} in the {what}, expected {num_classes} classes")
    pairs = np.bincount(num_classes * label + prediction, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)
