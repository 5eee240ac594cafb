"""Confusion matrices as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

MOST_TO_WRITE = 30  #: classes, beyond which the picture has colours alone


def row_shares(matrix: np.ndarray) -> np.ndarray:
    """Where the pixels of each class went: counts in percent of their row, NaN for a class without pixels."""
    totals = matrix.sum(axis=1, keepdims=True)
    return np.divide(100.0 * matrix, totals, out=np.full(matrix.shape, np.nan), where=totals > 0)


def draw_confusion(matrix: np.ndarray, classes: Sequence[str], title: str = "") -> Figure:
    """Draw counts (num_classes, num_classes) in percent of each row, with the pixels of each class beside its name."""
    shares, number = row_shares(matrix), len(classes)
    side = 2.4 + 0.46 * min(number, MOST_TO_WRITE)
    figure = Figure(figsize=(side + 1.8, side + 0.2), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
    figure.colorbar(drawn, ax=axes, label="% of the true class", shrink=0.6)
    size = 8 if number <= MOST_TO_WRITE else 5
    names = [name.replace("$", r"\$") for name in classes]  # no formula
    counted = [f"{name}  {count:,}" for name, count in zip(names, matrix.sum(axis=1).tolist())]
    axes.set_xticks(range(number), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=size)
    axes.set_yticks(range(number), counted, fontsize=size)
    axes.set(xlabel="predicted", ylabel="truth and its pixels")
    axes.set_title(title.replace("$", r"\$"), fontsize=10)
    if number <= MOST_TO_WRITE:
        for row, column in zip(*np.nonzero(shares >= 0.5)):
            colour = "white" if shares[row, column] > 55 else "#333333"
            text = f"{shares[row, column]:.0f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    return figure
