"""The values of masks that stand for classes, where smoothed edges or JPEG have added others."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ...utils.text import summarize
from .mask_census import Census

FEW = 8  #: values without areas that may be those of rare, thin classes
NEAR = 40  #: of 255, in each band: how far JPEG changes a value
MAIN_SHARE = (
    0.1  #: of the pixels that have not the most frequent value: a class although it has no areas, such as lines
)
LOSSY_AREA, SMOOTH_AREA = 0.001, 16  #: of a class: share of all pixels in JPEGs, pixels in others
MAX_FAR = 0.1  #: share of the pixels whose values are near no class


def main_values(census: Census) -> tuple[dict[int, int], list[str]]:
    """The value of a class for each value that occurs, and remarks.

    Raises:
        ValueError: where it is not clear which values are those of classes.
    """
    counts, flat, total = census.counts, census.flat, sum(census.counts.values())
    rough = {code for code, number in counts.items() if 2 * flat.get(code, 0) < number}
    identity = {code: code for code in counts}
    smooth = [code for code in counts if code not in rough]
    if len(counts) <= 2 or census.is_palette:
        return identity, []
    is_clear = 2 * len(rough) <= len(counts) or len(rough) <= FEW or _any_near(smooth)
    if not census.lossy and is_clear and not _is_black_and_white(census):
        return identity, []
    most = max(counts.values())
    least = LOSSY_AREA * total if census.lossy else SMOOTH_AREA
    mains: list[int] = []
    for code in sorted(counts, key=lambda code: (code in rough, -counts[code], code)):
        is_line = counts[code] >= MAIN_SHARE * (total - most)
        if (is_line or code not in rough and flat[code] >= least) and not _any_near(mains, code):
            mains.append(code)
    if len(mains) < 2:
        why = (
            f"{census.lossy.name} is a JPEG, which changes values, so that near ones cannot be told from each other"
            if census.lossy
            else "their values hardly differ"
        )
        raise ValueError(f"the masks show no classes: {why}. Save masks as PNG, each pixel with the value of its class")
    found, near, far = {}, 0, 0
    for code, number in counts.items():
        distances = _distances(np.array(mains), code)
        found[code] = mains[int(distances.argmin())]
        if distances.min() > NEAR:
            far += number
        elif code != found[code]:
            near += number
    if far > MAX_FAR * total:
        raise ValueError(
            f"the masks have {len(counts)} values, and {far / total:.1%} of their pixels are near none of the main ones"
            f" ({summarize([describe(census, code) for code in sorted(mains)])}): save masks as PNG, each pixel with"
            " the value of its class, without smooth edges"
        )
    why = "JPEG" if census.lossy else "smoothed edges"
    return found, [
        f"{(near + far) / total:.2%} of the pixels have other values than those of the classes, from {why}: each was"
        " taken for the nearest class"
    ]


def _is_black_and_white(census: Census) -> bool:
    """Whether values are near 0 and near 255 alone, as in a PNG that was a JPEG before."""
    black = {code for code in census.counts if 0 <= code <= NEAR}
    white = {code for code in census.counts if 255 - NEAR <= code <= 255}
    return not census.in_colours and len(black) + len(white) == len(census.counts) and bool(black and white - {255})


def describe(census: Census, code: int) -> str:
    """A value in words: ``7``, or ``#ff0000``."""
    return f"#{code:06x}" if census.in_colours else str(code)


def _distances(codes: np.ndarray, code: int) -> np.ndarray:
    """Largest difference in a band; of numbers, all of which is in one band up to 255."""
    if codes.max(initial=0) <= 255 and code <= 255:
        return np.abs(codes - code)
    shifts = np.array([16, 8, 0])
    return np.abs((codes[:, None] >> shifts & 255) - (code >> shifts & 255)).max(axis=1)


def _any_near(codes: Collection[int], code: int | None = None) -> bool:
    """Whether a value is near one of others; without one, whether any two of them are near each other."""
    if code is not None:
        return bool(len(codes)) and bool(_distances(np.array(list(codes)), code).min() <= NEAR)
    codes = list(codes)
    return any(_any_near(codes[:index], one) for index, one in enumerate(codes) if index)
