"""Several models' predictions side by side: a table of per-class IoU, and rows of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from prettytable import PrettyTable

from ..evaluation.confusion import class_areas, confusion_matrix
from ..evaluation.fcn_metric import fcn_scores
from ..evaluation.index_png import read_indices
from .figures import read_image, save_figure
from .palette import paint

LEGEND_COLUMNS = 2  #: of a row's legend, below each picture


def class_ious(prediction_dir: str | Path, label_dir: str | Path, names: Sequence[str], num_classes: int) -> np.ndarray:
    """Intersection over union of each class over all pictures together, by directories of index PNGs, ``NAME.png``.

    Returns:
        np.ndarray: float64 (num_classes,), in [0, 1]; NaN for a class that neither has.

    Raises:
        FileNotFoundError: if a prediction or a label is missing.
        ValueError: if ``names`` is empty, the sizes differ, or there are indices beyond the classes.
    """
    if not names:
        raise ValueError("no names of pictures were given")
    total = np.zeros((3, num_classes), np.int64)
    for name in names:
        prediction, label = (read_indices(Path(d, f"{name}.png")) for d in (prediction_dir, label_dir))
        try:
            total += class_areas(confusion_matrix(prediction, label, num_classes))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return fcn_scores(*total).class_iu


def mean_iou(ious: np.ndarray) -> float:
    """Mean over the classes that occur."""
    return float(np.nanmean(ious))


def iou_table(ious: Mapping[str, np.ndarray], classes: Sequence[str]) -> str:
    """Format the IoU of several models, in [0, 1] or NaN, in percent: a row per class, a column per model, mIoU last.

    Raises:
        ValueError: if a model's IoUs are not one per class.
    """
    for model, values in ious.items():
        if len(values) != len(classes):
            raise ValueError(f"{model} has IoUs of {len(values)} classes, expected {len(classes)}")
    table = PrettyTable(["IoU in %", *ious], align="r")
    table.align["IoU in %"] = "l"
    for number, name in enumerate(classes):
        row = [f"{100 * values[number]:.1f}" if np.isfinite(values[number]) else "-" for values in ious.values()]
        table.add_row([name, *row], divider=number == len(classes) - 1)
    table.add_row(["mIoU", *(f"{100 * mean_iou(values):.1f}" for values in ious.values())])
    return table.get_string()


def row_figure(
    image: np.ndarray, indices: Mapping[str, np.ndarray], classes: Sequence[str], palette: Sequence[Sequence[int]]
) -> Figure:
    """Draw one row of pictures: the image, then class indices in their colours, with captions and a legend.

    Args:
        image (np.ndarray): RGB, uint8 (H, W, 3).
        indices (Mapping[str, np.ndarray]): by caption, in order (truth, then the models), uint8 (H, W) each.
        classes (Sequence[str]): names for the legend, which has those that occur.
        palette (Sequence[Sequence[int]]): RGB of each class.
    """
    pictures = {"image": image, **{caption: paint(values, palette) for caption, values in indices.items()}}
    occurring = np.unique(np.concatenate([values.ravel() for values in indices.values()]))
    shown = [(classes[i], np.array(palette[i]) / 255, None) for i in occurring if i < len(classes)]
    shown += [("ignored", "white", "grey")] if (occurring >= len(classes)).any() else []
    columns = min(len(shown), LEGEND_COLUMNS * len(pictures))
    height, width = image.shape[:2]
    legend_height = 0.2 * -(-len(shown) // columns)
    figure = Figure(figsize=(2.6 * len(pictures), 2.6 * height / width + 0.5 + legend_height), layout="constrained")
    for axis, (caption, picture) in zip(figure.subplots(1, len(pictures), squeeze=False)[0], pictures.items()):
        axis.imshow(picture, interpolation="nearest")
        axis.set(title=caption, xticks=[], yticks=[])
    patches = [Patch(facecolor=face, edgecolor=edge, label=name) for name, face, edge in shown]
    figure.legend(handles=patches, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def draw_rows(
    directory: str | Path,
    data_root: str | Path,
    prediction_dirs: Mapping[str, str | Path],
    names: Sequence[str],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> None:
    """Save rows (:func:`row_figure`) of a data set in VOC layout as ``NAME.png``: image, truth, then the models."""
    for name in names:
        labels = {"truth": Path(data_root, "SegmentationClass"), **prediction_dirs}
        indices = {caption: read_indices(Path(folder, f"{name}.png")) for caption, folder in labels.items()}
        image = read_image(Path(data_root, "JPEGImages", f"{name}.jpg"))
        save_figure(row_figure(image, indices, classes, palette), Path(directory, f"{name}.png"))
