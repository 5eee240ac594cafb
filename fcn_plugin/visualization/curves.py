"""Loss, learning rate and mean IU of trainings over their iterations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .run_log import RunLog, stage_offsets

COLOURS = ("#1f6fb4", "#d1602a", "#2f8f4e", "#8a5bb0", "#b8336a", "#6b6b6b", "#b59a1b", "#17a3a3")
#: Beyond this ratio of the largest to the smallest value, an axis is logarithmic.
LOSS_RATIO, RATE_RATIO = 30, 10


def default_window(number: int) -> int:
    """Values in a window of the running median: a fifteenth of all, odd, from 5 to 101."""
    return int(np.clip(number // 15, 5, 101)) | 1


def running_median(values: np.ndarray, window: int) -> np.ndarray:
    """Median of the values (n,) around each; near the ends, of as many as there are, and without those that are NaN.

    Raises:
        ValueError: if the window is even or below 1.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"the window of the running median must be an odd number from 1 on, got {window}")
    half = window // 2
    around = [values[max(0, index - half) : index + half + 1] for index in range(len(values))]
    return np.array([np.nanmedian(part) if not np.isnan(part).all() else np.nan for part in around])


def draw_curves(runs: Mapping[str, Sequence[RunLog]], window: int | None = None) -> Figure:
    """Draw one or several trainings, the stages of each one after the other.

    The loss is drawn pale as it was logged, and over it its running median, which does not go across stages. Where
    stages begin is marked; for a single training, with their names.

    Args:
        runs (Mapping[str, Sequence[RunLog]]): by label, the stages of each, first to last.
        window (int, optional): of the running median, by default :func:`default_window` of each stage.

    Returns:
        Figure: with two or, if mean IU was logged, three panels: loss, learning rate, mean IU in percent.
    """
    validated = any(len(stage.series("mIoU")[0]) for stages in runs.values() for stage in stages)
    heights = (3, 1.3, 2) if validated else (3, 1.3)
    figure = Figure(figsize=(9, 0.6 + 1.1 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    levels: list[float] = []
    rates: list[float] = []
    for number, (label, stages) in enumerate(runs.items()):
        colour = COLOURS[number % len(COLOURS)]
        for stage, offset in zip(stages, stage_offsets(stages)):
            levels += _draw_loss(panels[0], stage, offset, window, colour)
            rates += _draw_rate(panels[1], stage, offset, colour)
            if validated:
                _draw_mean_iu(panels[2], stage, offset, colour)
        panels[0].plot([], [], color=colour, label=label)  # for the legend
        _mark_stages(panels, stages, "#888888" if len(runs) == 1 else colour, named=len(runs) == 1)
    for axes, name in zip(panels, ("loss", "learning rate", "mIoU in %")):
        axes.set_ylabel(name)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    for axes, values, ratio in ((panels[0], levels, LOSS_RATIO), (panels[1], rates, RATE_RATIO)):
        if values and min(values) > 0 and max(values) / min(values) > ratio:
            axes.set_yscale("log")
    panels[-1].set_xlabel("iterations")
    panels[-1].set_xlim(left=0)
    if len(runs) > 1:
        panels[0].legend(frameon=False, fontsize=9)
    figure.align_ylabels()
    return figure


def _draw_loss(axes: Axes, stage: RunLog, offset: int, window: int | None, colour: str) -> list[float]:
    """Draw the loss; returns the finite values of its running median."""
    steps, losses = stage.series("loss")
    smooth = running_median(losses, window or default_window(len(losses)))
    axes.plot(steps + offset, losses, color=colour, alpha=0.25, linewidth=0.8)
    axes.plot(steps + offset, smooth, color=colour, linewidth=1.6)
    return smooth[np.isfinite(smooth)].tolist()


def _draw_rate(axes: Axes, stage: RunLog, offset: int, colour: str) -> list[float]:
    """Draw the learning rate before the factors of single layers; returns its largest value."""
    base = stage.series("base_lr")
    steps, rates = base if len(base[0]) else stage.series("lr")
    axes.plot(steps + offset, rates, color=colour, linewidth=1.6)
    return [rates.max()] if len(rates) else []


def _draw_mean_iu(axes: Axes, stage: RunLog, offset: int, colour: str) -> None:
    steps, values = stage.series("mIoU")
    axes.plot(steps + offset, values, color=colour, marker="o", markersize=4, linewidth=1.6)
    if len(steps):
        place = dict(textcoords="offset points", xytext=(-6, 0), ha="right", va="center", fontsize=8, color=colour)
        axes.annotate(f"{values[-1]:.1f}", (steps[-1] + offset, values[-1]), annotation_clip=False, **place)
    axes.margins(y=0.2)


def _mark_stages(panels: Sequence[Axes], stages: Sequence[RunLog], colour: str, named: bool) -> None:
    for stage, offset in zip(stages, stage_offsets(stages)):
        for axes in panels:
            if offset:
                axes.axvline(offset, color=colour, linewidth=0.9, linestyle=(0, (4, 3)))
        if named:
            place = dict(textcoords="offset points", xytext=(3, 4), fontsize=8, color="#555555")
            panels[0].annotate(stage.name, (offset, 1), xycoords=("data", "axes fraction"), **place)
