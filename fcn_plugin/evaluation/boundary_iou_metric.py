"""IoU near the boundaries of objects, where predictions of a coarse stride are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable

from .confusion import IGNORE_INDEX, class_areas, confusion_matrix
from .fcn_metric import fcn_scores


@METRICS.register_module()
class BoundaryIoUMetric(BaseMetric):
    """IoU of the pixels that lie near a true boundary, for bands of several widths.

    A band of w pixels has the labelled pixels that are at most w pixels away from a pixel of another class, on both
    sides of a boundary: the band of 1 has those that touch it. Pixels outside do not count. Ignored pixels count
    nowhere; to find the boundary, they get the class of the labelled pixel next to them, so that it runs in the middle
    of a border that is ignored, as in PASCAL VOC.

    The figures, in percent, are ``mIoU_1px``, ``mIoU_2px``, ...: the mean over the classes as in
    :class:`fcn_plugin.evaluation.FCNMetric`. Those of each class are logged in a table. Use it beside that metric::

        test_evaluator = [dict(type="FCNMetric"), dict(type="BoundaryIoUMetric")]

    Args:
        widths (Sequence[int]): of the bands, in pixels.
        ignore_index (int): index of pixels that do not count.
        collect_device (str): 'cpu' or 'gpu', as of :class:`mmengine.evaluator.BaseMetric`.
        prefix (str, optional): of the figures' names.

    Attributes:
        class_metrics: the table of the last evaluation, by ``IoU_1px`` and so on, float64 (num_classes,); NaN for
            classes that do not occur in a band.

    Raises:
        ValueError: for widths that are not integers of 1 or more.

    Source: the trimaps of Kohli, Ladicky and Torr, *Robust Higher Order Potentials for Enforcing Label Consistency*,
    IJCV 2009, section 5.
    """

    class_metrics: dict[str, np.ndarray] | None = None

    def __init__(
        self,
        widths: Sequence[int] = (1, 2, 4, 8),
        ignore_index: int = IGNORE_INDEX,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if not widths or any(not isinstance(width, int) or width < 1 for width in widths):
            raise ValueError(f"widths must list integers of 1 or more, in pixels, got {widths!r}")
        self.widths, self.ignore_index = tuple(widths), ignore_index

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of a batch by band.

        Raises:
            ValueError: naming the image, if truth and prediction differ in size or have indices beyond the classes.
        """
        for sample in data_samples:
            predicted, label = (sample[name]["data"].cpu().numpy() for name in ("pred_sem_seg", "gt_sem_seg"))
            predicted, label = (one.reshape(one.shape[-2:]) for one in (predicted, label))
            distance = boundary_distance(label, self.ignore_index)
            try:
                self.results.append(
                    [self._areas(predicted, np.where(distance <= w, label, self.ignore_index)) for w in self.widths]
                )
            except ValueError as error:
                raise ValueError(f"{sample.get('img_path', 'an image')}: {error}") from error

    def _areas(self, predicted: np.ndarray, label: np.ndarray) -> np.ndarray:
        return class_areas(confusion_matrix(predicted, label, len(self.dataset_meta["classes"]), self.ignore_index))

    def compute_metrics(self, results: list[Sequence[np.ndarray]]) -> Mapping[str, float]:
        """The mean IoU of each band, in percent, NaN without a boundary; those of each class are logged."""
        scores = [fcn_scores(*areas) for areas in np.sum(results, axis=0)]
        self.class_metrics = {f"IoU_{width}px": 100 * one.class_iu for width, one in zip(self.widths, scores)}
        table = PrettyTable()
        table.add_column("Class", list(self.dataset_meta["classes"]))
        for name, values in self.class_metrics.items():
            table.add_column(name, np.round(values, 2))
        print_log(f"near boundaries:\n{table.get_string()}", logger="current")
        return {f"mIoU_{width}px": round(100 * one.mean_iu, 2) for width, one in zip(self.widths, scores)}


def boundary_distance(label: np.ndarray, ignore_index: int = IGNORE_INDEX) -> np.ndarray:
    """How far each pixel of a label is from the next pixel of another class, float32 (H, W).

    Args:
        label (np.ndarray): class indices (H, W).
        ignore_index (int): of pixels that get the class of the labelled pixel next to them.

    Returns:
        np.ndarray: in pixels; 1 for those that touch a boundary, infinite if there is none.
    """
    ignored = label == ignore_index
    if ignored.all():
        return np.full(label.shape, np.inf, np.float32)
    if ignored.any():
        kind = dict(labelType=cv2.DIST_LABEL_PIXEL)
        _, nearest = cv2.distanceTransformWithLabels(ignored.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, **kind)
        classes = np.zeros(nearest.max() + 1, label.dtype)
        classes[nearest[~ignored]] = label[~ignored]
        label = classes[nearest]
    touches = np.zeros(label.shape, bool)
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differs = label[one] != label[other]
        touches[one] |= differs
        touches[other] |= differs
    if not touches.any():
        return np.full(label.shape, np.inf, np.float32)
    return 1 + cv2.distanceTransform((~touches).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
