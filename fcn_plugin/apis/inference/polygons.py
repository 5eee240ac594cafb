"""The areas of class indices as polygons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np


class Area(NamedTuple):
    """Pixels of a class that touch each other by their sides.

    Corners are at edges of pixels: the first pixel of a picture reaches from (0, 0) to (1, 1), and a polygon has the
    area of its pixels.
    """

    index: int  #: of the class
    pixels: int  #: how many there are
    box: tuple[int, int, int, int]  #: first column and row, width and height
    mask: np.ndarray  #: of the box, bool (h, w)
    exterior: np.ndarray  #: corners (x, y), integers (N, 2), of which the last is joined to the first
    holes: tuple[np.ndarray, ...]  #: of the same form


def areas(labels: np.ndarray, indices: list[int], least: int = 1) -> Iterator[Area]:
    """The areas of classes, of each class from the top on.

    Args:
        labels (np.ndarray): class indices, uint8 (H, W).
        indices (list[int]): of the classes that are wanted.
        least (int): pixels of the smallest area that is given.
    """
    for index in indices:
        count, parts, stats, _ = cv2.connectedComponentsWithStats((labels == index).astype(np.uint8), connectivity=4)
        for part in range(1, count):
            left, top, width, height, pixels = map(int, stats[part])
            if pixels < least:
                continue
            mask = parts[top : top + height, left : left + width] == part
            exterior, *holes = _rings(mask, (left, top))
            yield Area(index, pixels, (left, top, width, height), mask, exterior, tuple(holes))


def _rings(mask: np.ndarray, corner: tuple[int, int]) -> list[np.ndarray]:
    """The exterior, then the holes of pixels (h, w) that touch each other.

    OpenCV's contours run through centres of pixels. Of pixels that are two by two, they run a quarter beside the edges,
    and cut corners that they then fall onto.
    """
    twice = np.pad(mask.astype(np.uint8), 1).repeat(2, axis=0).repeat(2, axis=1)
    contours, hierarchy = cv2.findContours(twice, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)[-2:]
    order = sorted(range(len(contours)), key=lambda number: hierarchy[0][number][3] >= 0)  # the exterior has no parent
    return [_corners((contours[number][:, 0] + 1) // 2 - 1 + np.array(corner)) for number in order]


def _corners(points: np.ndarray) -> np.ndarray:
    """A ring without points that are repeated or on straight lines."""
    points = points[(points != np.roll(points, 1, axis=0)).any(1)]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]


def signed_area(ring: np.ndarray) -> float:
    """The area inside of a ring (N, 2); below 0 if it runs clockwise where y points up."""
    x, y = ring.T.astype(float)
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)
