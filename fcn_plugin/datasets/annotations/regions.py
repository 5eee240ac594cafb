"""Regions of a picture as annotation tools describe them, painted into an array of labels.

Coordinates are continuous: pixel (row i, column j) covers [j, j + 1] x [i, i + 1], and belongs to an outline if its
centre (j + 0.5, i + 0.5) lies inside. Two outlines with a common edge share no pixel and leave none out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, radians, sin
from typing import Protocol

import cv2
import numpy as np

from ...utils.text import summarize

CORNERS = 360  #: of the polygon that stands for an ellipse
FRACTION = 4  #: bits of coordinates behind the point, for cv2
FARTHEST = 1e6  #: coordinate, in pixels, that can be meant


class Region(Protocol):
    """A part of a picture."""

    def paint(self, labels: np.ndarray, code: int) -> None:
        """Set its pixels of int16 (H, W) to a code; raises ValueError for what cannot be read."""


@dataclass(frozen=True)
class Polygons:
    """The inside of closed outlines, each with its corners (x, y) in pixels; it alternates where one crosses itself."""

    outlines: tuple[np.ndarray, ...]

    def paint(self, labels: np.ndarray, code: int) -> None:
        """Set its pixels of int16 (H, W) to a code."""
        for outline in self.outlines:
            fill(labels, outline, code)


@dataclass(frozen=True)
class Bitmap:
    """Pixels from (top, left) on, bool (h, w); what lies outside of the picture is cut off."""

    pixels: np.ndarray
    top: int = 0
    left: int = 0

    def paint(self, labels: np.ndarray, code: int) -> None:
        """Set its pixels of int16 (H, W) to a code."""
        part = self.pixels[max(-self.top, 0) :, max(-self.left, 0) :]
        window = labels[max(self.top, 0) :, max(self.left, 0) :][: part.shape[0], : part.shape[1]]
        window[part[: window.shape[0], : window.shape[1]]] = code


@dataclass(frozen=True)
class Runs:
    """Lengths of runs of pixels outside and inside by turns, the first outside, over an area.

    Attributes:
        counts: the lengths.
        size: (height, width) of the area.
        by_columns: whether they go down the columns, as in COCO, or along the rows.
        top, left: where the area begins.
    """

    counts: tuple[int, ...]
    size: tuple[int, int]
    by_columns: bool
    top: int = 0
    left: int = 0

    def paint(self, labels: np.ndarray, code: int) -> None:
        """Set its pixels of int16 (H, W) to a code.

        Raises:
            ValueError: if the area is larger than the picture, or the runs are not as long as the area.
        """
        rows, columns = self.size
        counts = np.array(self.counts, np.int64)
        if rows > labels.shape[0] or columns > labels.shape[1] or (counts < 0).any() or counts.sum() != rows * columns:
            picture = f"a picture of {labels.shape[1]}x{labels.shape[0]}"
            raise ValueError(f"runs of {counts.sum()} pixels for an area of {columns}x{rows} in {picture}")
        flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        pixels = flat.reshape(columns, rows).T if self.by_columns else flat.reshape(rows, columns)
        Bitmap(pixels, self.top, self.left).paint(labels, code)


@dataclass(frozen=True)
class Strokes:
    """A line along points (x, y), or a disc on each point, as wide as a number of pixels."""

    points: np.ndarray
    width: int
    joined: bool

    def paint(self, labels: np.ndarray, code: int) -> None:
        """Set its pixels of int16 (H, W) to a code."""
        points = ((self.points - 0.5) * (1 << FRACTION)).round().astype(int).tolist()
        if self.joined:
            for start, end in pairwise(points):
                cv2.line(labels, start, end, code, self.width, cv2.LINE_8, FRACTION)
        else:
            for point in points:
                cv2.circle(labels, point, (self.width << FRACTION) // 2, code, cv2.FILLED, cv2.LINE_8, FRACTION)


def box(
    left: float, top: float, right: float, bottom: float, degrees: float = 0, pivot: Sequence[float] = ()
) -> Polygons:
    """A rectangle, turned clockwise about a pivot (x, y), by default its centre."""
    corners = points_of([(left, top), (right, top), (right, bottom), (left, bottom)])
    return Polygons((turned(corners, degrees, pivot or ((left + right) / 2, (top + bottom) / 2)),))


def ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0) -> Polygons:
    """An ellipse with its centre and radii, turned clockwise."""
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    centre, radii = points_of([(x, y), (radius_x, radius_y)])
    outline = centre + radii * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Polygons((turned(outline, degrees, (x, y)),))


def turned(points: np.ndarray, degrees: float, pivot: Sequence[float]) -> np.ndarray:
    """Points (n, 2) turned clockwise, as it is seen in a picture, about a pivot (x, y)."""
    if not degrees:
        return points
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))
    return (points - pivot) @ np.array([[cosine, sine], [-sine, cosine]]) + pivot


def points_of(values: Sequence[Sequence[float]]) -> np.ndarray:
    """Points (x, y) from a file as an array (n, 2).

    Raises:
        ValueError: if they are no pairs of numbers, or far from any picture.
    """
    try:
        points = np.array(values, float)
    except (TypeError, ValueError):  # of different lengths, or texts
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2 or not (np.abs(points) < FARTHEST).all():
        received = summarize(list(map(str, values))) if isinstance(values, Sequence) else repr(values)
        raise ValueError(f"points must be pairs of numbers (x, y), got {received}")
    return points


def fill(labels: np.ndarray, outline: np.ndarray, code: int) -> None:
    """Set the pixels with their centre inside of an outline to a code, by the even-odd rule.

    Args:
        labels (np.ndarray): int16 (H, W), changed in place.
        outline (np.ndarray): corners (x, y) in pixels, (n, 2).
        code (int): to set them to.
    """
    height, width = labels.shape
    start, end = outline, np.roll(outline, -1, axis=0)
    # An edge crosses the rows whose centres lie in [upper, lower), of which no corner belongs to two edges.
    first, last = (
        np.ceil(limit(start[:, 1], end[:, 1]) - 0.5).clip(0, height).astype(int) for limit in (np.minimum, np.maximum)
    )
    counts = last - first
    edge = np.repeat(np.arange(len(start)), counts)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    if not len(edge):
        return
    x, y = start[edge].T
    slope = (end[edge, 0] - x) / (end[edge, 1] - y)
    column = np.ceil(x + (row + 0.5 - y) * slope - 0.5).clip(0, width).astype(int)
    top, bottom, left, right = row.min(), row.max() + 1, column.min(), column.max()
    crossed = np.zeros((bottom - top, right - left + 1), np.uint8)
    np.bitwise_xor.at(crossed, (row - top, column - left), 1)
    inside = np.bitwise_xor.accumulate(crossed, axis=1)[:, :-1]  # beyond the last crossing all is outside
    labels[top:bottom, left:right][inside.astype(bool)] = code
