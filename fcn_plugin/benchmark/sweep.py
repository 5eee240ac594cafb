"""How the cost grows with the image's area and the batch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .process import SideProcess

#: Areas of the images, in multiples of the setting's, and images in a batch.
AREAS, BATCHES = (0.25, 0.5, 1.0, 2.0, 4.0), (1, 2, 4)


@dataclass(frozen=True)
class Line:
    """A straight line through measured points, by least squares.

    Attributes:
        intercept, slope: of ``y = intercept + slope * x``.
        r2: share of the variance of y that it explains.
        largest_deviation: of a point from the line, relative to the point.
    """

    intercept: float
    slope: float
    r2: float
    largest_deviation: float


def fit_line(x: Sequence[float], y: Sequence[float]) -> Line:
    """Fit a line to two points or more, of positive y."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    slope, intercept = np.polyfit(x, y, 1)
    residuals = y - (intercept + slope * x)
    spread = ((y - y.mean()) ** 2).sum()
    r2 = 1 - (residuals**2).sum() / spread if spread else 1.0
    return Line(float(intercept), float(slope), float(r2), float(np.abs(residuals / y).max()))


@dataclass(frozen=True)
class Growth:
    """Time of a computation over the image's area, for one batch size.

    Attributes:
        computation: ``forward`` or ``step``.
        batch: images in a batch.
        shapes: heights and widths of the images, in pixels.
        seconds: of each shape, per image; the median of some runs.
        line: fitted to the seconds over the pixels of an image.
    """

    computation: str
    batch: int
    shapes: list[tuple[int, int]]
    seconds: list[float]
    line: Line


def scaled_shapes(shape: tuple[int, int], areas: Sequence[float] = AREAS) -> list[tuple[int, int]]:
    """Shapes of the same aspect ratio and of multiples of the area, each once, in whole pixels."""
    shapes = [tuple(max(1, round(side * math.sqrt(area))) for side in shape) for area in areas]
    return list(dict.fromkeys(shapes))


def sweep(
    side: SideProcess,
    shape: tuple[int, int],
    repeats: int,
    computations: Sequence[str],
    areas: Sequence[float] = AREAS,
    batches: Sequence[int] = BATCHES,
) -> Iterator[Growth]:
    """Measure a side over areas and batch sizes; it keeps the last inputs."""
    shapes = scaled_shapes(shape, areas)
    for batch in batches:
        seconds: dict[str, list[float]] = {name: [] for name in computations}
        for one in shapes:
            side.call("set_inputs", batch, one)
            for name in computations:
                calls = side.call("warm_up", name)
                times = [side.call("seconds", name, calls) for _ in range(repeats)]
                seconds[name].append(statistics.median(times) / batch)
        pixels = [height * width for height, width in shapes]
        for name in computations:
            yield Growth(name, batch, shapes, seconds[name], fit_line(pixels, seconds[name]))
