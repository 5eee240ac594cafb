"""Several models' predictions side by side: a table of per-class IoU, and rows of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from prettytable import PrettyTable

from .palette import paint

LEGEND_COLUMNS = 2  #: of a row's legend, below each picture


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
    table.add_row(["mIoU", *(f"{100 * np.nanmean(values):.1f}" for values in ious.values())])
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
