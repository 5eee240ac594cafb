"""Several models' predictions side by side: a table of per-class IoU, and rows of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from mmseg.evaluation import IoUMetric
from PIL import Image
from prettytable import PrettyTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IGNORE_INDEX = 255
LEGEND_COLUMNS = 2  #: of a row's legend, below each picture


def read_indices(path: str | Path) -> np.ndarray:
    """Read a label or a prediction: class indices as a greyscale or palette PNG.

    Returns:
        np.ndarray: uint8 (H, W).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it has colours in place of indices.
    """
    with Image.open(path) as picture:
        if picture.mode not in ("L", "P"):
            raise ValueError(f"{path} is a picture of mode {picture.mode}, expected class indices (mode L or P)")
        return np.array(picture)


def class_ious(prediction_dir: str | Path, label_dir: str | Path, names: Sequence[str], num_classes: int) -> np.ndarray:
    """Intersection over union of each class, over all pictures together, as the toolbox's IoUMetric has it.

    Args:
        prediction_dir (str | Path): index PNGs, ``NAME.png`` (``tools/test.py --out``).
        label_dir (str | Path): labels of the same names; pixels of 255 are ignored.
        names (Sequence[str]): the pictures to compare.
        num_classes (int): number of classes.

    Returns:
        np.ndarray: float64 (num_classes,), in [0, 1]; NaN for a class that neither has.

    Raises:
        FileNotFoundError: if a prediction or a label is missing.
        ValueError: if ``names`` is empty, the sizes differ, or there are indices beyond the classes.
    """
    if not names:
        raise ValueError("no names of pictures were given")
    # double precision: float32 stops counting pixels one by one at 2**24
    totals: list[torch.Tensor] = [torch.zeros(num_classes, dtype=torch.float64) for _ in range(4)]
    for name in names:
        prediction, label = (read_indices(Path(d, f"{name}.png")) for d in (prediction_dir, label_dir))
        if prediction.shape != label.shape:
            raise ValueError(f"{name}: the prediction has {prediction.shape} pixels, the label {label.shape}")
        labelled = label != IGNORE_INDEX
        for what, indices in (("prediction", prediction), ("label", label)):
            if (highest := indices[labelled].max(initial=0)) >= num_classes:
                raise ValueError(f"{name}: index {highest} in the {what}, expected {num_classes} classes")
        areas = IoUMetric.intersect_and_union(
            torch.from_numpy(prediction), torch.from_numpy(label), num_classes, IGNORE_INDEX
        )
        totals = [total + area for total, area in zip(totals, areas)]
    return IoUMetric.total_area_to_metrics(*totals)["IoU"]


def mean_iou(ious: np.ndarray) -> float:
    """Mean over the classes that occur."""
    return float(np.nanmean(ious))


def iou_table(ious: Mapping[str, np.ndarray], classes: Sequence[str]) -> str:
    """Format the IoU of several models in percent: a row per class, a column per model, mIoU last.

    Args:
        ious (Mapping[str, np.ndarray]): by model, as from :func:`class_ious`.
        classes (Sequence[str]): names of the classes.

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


def paint(indices: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Colour class indices, ignored pixels white.

    Args:
        indices (np.ndarray): uint8 (H, W).
        palette (Sequence[Sequence[int]]): RGB of each class.

    Returns:
        np.ndarray: RGB, uint8 (H, W, 3).
    """
    colours = np.full((256, 3), 255, np.uint8)
    colours[: len(palette)] = palette
    return colours[indices]


def row_figure(
    image: np.ndarray,
    indices: Mapping[str, np.ndarray],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> Figure:
    """Draw one row of pictures: the image, then class indices in their colours, with captions and a legend.

    Args:
        image (np.ndarray): RGB, uint8 (H, W, 3).
        indices (Mapping[str, np.ndarray]): by caption, in order (truth, then the models), uint8 (H, W) each.
        classes (Sequence[str]): names for the legend, which has those that occur.
        palette (Sequence[Sequence[int]]): RGB of each class.
    """
    # not on import: the first import of matplotlib on a machine looks for fonts and writes a list of them
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    pictures = {"image": image, **{caption: paint(values, palette) for caption, values in indices.items()}}
    occurring = np.unique(np.concatenate([values.ravel() for values in indices.values()]))
    shown = [(classes[i], np.array(palette[i]) / 255, None) for i in occurring if i < len(classes)]
    shown += [("ignored", "white", "grey")] if (occurring >= len(classes)).any() else []
    columns = min(len(shown), LEGEND_COLUMNS * len(pictures))
    height, width = image.shape[:2]
    legend_height = 0.2 * -(-len(shown) // columns)
    figure = Figure(figsize=(2.6 * len(pictures), 2.6 * height / width + 0.5 + legend_height), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (caption, picture) in zip(figure.subplots(1, len(pictures), squeeze=False)[0], pictures.items()):
        axis.imshow(picture, interpolation="nearest")
        axis.set_title(caption)
        axis.set_xticks([])
        axis.set_yticks([])
    patches = [Patch(facecolor=face, edgecolor=edge, label=name) for name, face, edge in shown]
    figure.legend(handles=patches, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def draw_row(
    file: str | Path,
    image: np.ndarray,
    indices: Mapping[str, np.ndarray],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> None:
    """Save one row of pictures (:func:`row_figure`) as PNG."""
    row_figure(image, indices, classes, palette).savefig(file, dpi=110)


def draw_rows(
    directory: str | Path,
    data_root: str | Path,
    prediction_dirs: Mapping[str, str | Path],
    names: Sequence[str],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> None:
    """Save a row of pictures (:func:`draw_row`) for each name: image, truth, then the models.

    Args:
        directory (str | Path): where ``NAME.png`` is written; made if it does not exist.
        data_root (str | Path): data set in VOC layout.
        prediction_dirs (Mapping[str, str | Path]): directories of index PNGs, by caption.
        names (Sequence[str]): which pictures.
        classes (Sequence[str]): names for the legend.
        palette (Sequence[Sequence[int]]): RGB of each class.
    """
    directory, data_root = Path(directory), Path(data_root)
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        with Image.open(data_root / "JPEGImages" / f"{name}.jpg") as picture:
            image = np.array(picture.convert("RGB"))
        indices = {"truth": read_indices(data_root / "SegmentationClass" / f"{name}.png")}
        indices |= {caption: read_indices(Path(d, f"{name}.png")) for caption, d in prediction_dirs.items()}
        draw_row(directory / f"{name}.png", image, indices, classes, palette)
