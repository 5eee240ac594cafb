"""The FCN paper's four figures: pixel accuracy, mean accuracy, mean IU and frequency weighted IU."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.logging import print_log
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from numpy.typing import ArrayLike
from torch import Tensor

from .confusion import class_areas, confusion_matrix
from .index_png import check_number_of_classes, write_indices
from .prediction_names import name_of


class FCNScores(NamedTuple):
    """The four figures, in [0, 1], and those of each class, float64 (num_classes,); NaN where undefined."""

    pixel_accuracy: float
    mean_accuracy: float
    mean_iu: float
    frequency_weighted_iu: float
    class_accuracy: np.ndarray
    class_iu: np.ndarray


def fcn_scores(intersect: ArrayLike, predicted: ArrayLike, labelled: ArrayLike) -> FCNScores:
    """Compute the four figures from pixel counts.

    With ``n_ij`` pixels of class i predicted as class j, and ``t_i = sum_j n_ij`` pixels of class i::

        pixel accuracy         sum_i n_ii / sum_i t_i
        mean accuracy          mean_i  n_ii / t_i
        mean IU                mean_i  n_ii / (t_i + sum_j n_ji - n_ii)
        frequency weighted IU  sum_i t_i * IU_i / sum_i t_i

    As in the reference, a class without labelled pixels has no accuracy and does not count in the mean accuracy, but
    if it is predicted anywhere its IU is 0 and counts. One that is neither labelled nor predicted counts in no mean.
    Without any labelled pixel the first three are NaN and the last, an empty sum, is 0.

    Args:
        intersect (ArrayLike): ``n_ii``, (num_classes,): the diagonal of a confusion matrix whose rows are the truth.
        predicted (ArrayLike): pixels predicted as each class, (num_classes,): the sums of its columns.
        labelled (ArrayLike): ``t_i``, (num_classes,): the sums of its rows.

    Source: section 5 of the PAMI paper, "Metrics"; ``score.py`` of the reference.
    """
    intersect, predicted, labelled = (np.asarray(area, np.float64) for area in (intersect, predicted, labelled))
    with np.errstate(invalid="ignore"):
        accuracy = intersect / labelled
        iu = intersect / (labelled + predicted - intersect)
        pixel_accuracy = intersect.sum() / labelled.sum()
        frequency = labelled / labelled.sum()
    occurs = frequency > 0
    return FCNScores(
        pixel_accuracy=float(pixel_accuracy),
        mean_accuracy=_mean_of_defined(accuracy),
        mean_iu=_mean_of_defined(iu),
        frequency_weighted_iu=float((frequency[occurs] * iu[occurs]).sum()),
        class_accuracy=accuracy,
        class_iu=iu,
    )


def _mean_of_defined(values: np.ndarray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def foreground_scores(intersect: float, predicted: float, labelled: float) -> dict[str, float]:
    """IoU, Dice, precision and recall of a class, in [0, 1], from its pixels that are right, predicted and labelled.

    A figure is NaN where it is undefined, as all are for a class that is neither predicted nor labelled.
    """
    with np.errstate(invalid="ignore"):
        return dict(
            IoU=np.float64(intersect) / (labelled + predicted - intersect),
            Dice=np.float64(2 * intersect) / (labelled + predicted),
            Precision=np.float64(intersect) / predicted,
            Recall=np.float64(intersect) / labelled,
        )


@METRICS.register_module()
class FCNMetric(IoUMetric):
    """The toolbox's IoUMetric with exact counts and, as ``fwIoU``, the paper's fourth figure.

    In percent, in the toolbox's names: ``aAcc`` is the pixel accuracy, ``mAcc`` the mean accuracy, ``mIoU`` the mean
    IU and ``fwIoU`` the frequency weighted IU, as in :func:`fcn_scores`. All settings, the other ``iou_metrics`` and
    the logged table of the classes are the toolbox's; ``nan_to_num`` does not concern ``fwIoU``, in which classes
    without labelled pixels have no part.

    The toolbox counts with ``torch.histc`` in float32, which stops at 2**24 pixels of a class (also over all images
    together), misplaces counts from some thousands of classes on and counts every index if there is one class. Here
    the counts are integers, summed in double precision. An index beyond the classes, which the toolbox counts in one
    area and not in the other, is an error.

    With ``foreground``, the index of a class, the figures of that class are given beside the means: ``IoU``, ``Dice``,
    ``Precision`` and ``Recall``, NaN where undefined. They are those of a task of one thing and its background, of
    which the means say little.

    With ``output_dir``, each prediction is written as an index PNG (:func:`write_indices`) by the process that made it,
    under the name of its image with the folders that this has in the data set, which ``names`` tells.

    Attributes:
        class_metrics: the table of the last evaluation: for each figure (``IoU``, ``Acc``) those of all classes, in
            percent, float64 (num_classes,).
        names: names of the predictions by the path of the image, see :func:`prediction_names`, which the runner sets;
            of others, the name of the file is taken.
    """

    class_metrics: dict[str, np.ndarray] | None = None
    names: Mapping[str, str] = MappingProxyType({})

    def __init__(self, *args, foreground: int | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if foreground is not None and (not isinstance(foreground, int) or foreground < 0):
            raise ValueError(f"foreground of FCNMetric must be the index of a class, got {foreground!r}")
        self.foreground = foreground

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of a batch and write its predictions, if they are wanted.

        Raises:
            ValueError: naming the image, if it has no label, if truth and prediction differ in size or have indices
                beyond the classes; if predictions of more than 256 classes shall be written, which PNGs of indices
                cannot hold; if there is no class ``foreground``.
        """
        num_classes = len(self.dataset_meta["classes"])
        if self.foreground is not None and self.foreground >= num_classes:
            raise ValueError(f"foreground={self.foreground} of FCNMetric is none of the {num_classes} classes")
        for data_sample in data_samples:
            path = data_sample.get("img_path", "an image")
            predicted = _plane(data_sample["pred_sem_seg"])
            if not self.format_only:
                if "gt_sem_seg" not in data_sample:
                    raise ValueError(f"{path} has no label: give format_only=True to write predictions alone")
                try:
                    label = _plane(data_sample["gt_sem_seg"]).to(predicted)
                    areas = self.intersect_and_union(predicted, label, num_classes, self.ignore_index)
                except ValueError as error:
                    raise ValueError(f"{path}: {error}") from error
                self.results.append(areas)
            if self.output_dir is not None:
                reduced = bool(data_sample.get("reduce_zero_label"))
                check_number_of_classes(num_classes, reduced)
                file = Path(self.output_dir, f"{name_of(path, self.names)}.png")
                write_indices(file, predicted.cpu().numpy(), self.dataset_meta.get("palette"), reduced)

    @staticmethod
    def intersect_and_union(
        pred_label: Tensor, label: Tensor, num_classes: int, ignore_index: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Count the pixels of one image by :func:`confusion_matrix`: float64 (num_classes,), on the CPU.

        They are those of each class where both agree, where either has it, where it is predicted, where it is labelled.
        """
        areas = class_areas(confusion_matrix(pred_label, label, num_classes, ignore_index))
        intersect, predicted, labelled = torch.from_numpy(areas).double()
        return intersect, predicted + labelled - intersect, predicted, labelled

    def compute_metrics(self, results: list[tuple[Tensor, Tensor, Tensor, Tensor]]) -> dict[str, float]:
        """The toolbox's figures and ``fwIoU`` in percent, none for ``format_only``; those of each class are logged."""
        if self.format_only:
            print_log(f"the predictions are in {self.output_dir}", logger="current")
            return {}
        metrics = super().compute_metrics(results)
        areas = [sum(area) for area in zip(*results)]
        table = self.total_area_to_metrics(*areas, self.metrics, self.nan_to_num, self.beta)
        self.class_metrics = {name: 100 * values for name, values in table.items() if name != "aAcc"}
        intersect, _, predicted, labelled = (area.numpy() for area in areas)
        metrics["fwIoU"] = np.round(100 * fcn_scores(intersect, predicted, labelled).frequency_weighted_iu, 2)
        if self.foreground is not None:
            areas_of_it = (area[self.foreground] for area in (intersect, predicted, labelled))
            metrics |= {name: np.round(100 * value, 2) for name, value in foreground_scores(*areas_of_it).items()}
        self._warn_of_one_class(predicted, labelled)
        self._warn_of_one_label(labelled)
        return metrics

    def _warn_of_one_class(self, predicted: np.ndarray, labelled: np.ndarray) -> None:
        """Point out predictions of one class alone, which have plausible figures where it is the background."""
        if np.count_nonzero(predicted) == 1 < np.count_nonzero(labelled):
            name = self.dataset_meta["classes"][int(predicted.argmax())]
            print_log(
                f"every pixel was predicted as {name}: the network has not learned yet, or its weights were not loaded,"
                " or expect other input (model.data_preprocessor)",
                logger="current",
                level=logging.WARNING,
            )

    def _warn_of_one_label(self, labelled: np.ndarray) -> None:
        """Point out labels of one class alone, on which a network that predicts nothing else has 100 percent."""
        if np.count_nonzero(labelled) == 1:
            name = self.dataset_meta["classes"][int(labelled.argmax())]
            print_log(
                f"only {name} is labelled in what was evaluated, other pixels are ignored ({self.ignore_index}): the"
                " figures say nothing",
                logger="current",
                level=logging.WARNING,
            )


def _plane(indices: Mapping) -> Tensor:
    """Class indices (H, W) of a field of a data sample, which has a channel before them."""
    data = indices["data"]
    return data.reshape(data.shape[-2:])
