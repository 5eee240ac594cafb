"""Translation of image and labels, the paper's jitter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS


def translate(array: np.ndarray, rows: int, columns: int, fill: float | Sequence[float]) -> np.ndarray:
    """Move an array (H, W) or (H, W, C) down and to the right, or up and to the left, within its size.

    Args:
        array (np.ndarray): what to move; it is left as it is.
        rows (int): rows to move down by, negative for up.
        columns (int): columns to move right by, negative for left.
        fill (float | Sequence[float]): value of the cells that nothing moved to, or one per channel.

    Returns:
        np.ndarray: a new array of the same size and type.
    """
    moved = np.full_like(array, fill)
    (row_to, row_from), (column_to, column_from) = (
        (slice(max(0, shift), size + min(0, shift)), slice(max(0, -shift), size + min(0, -shift)))
        for size, shift in zip(array.shape, (rows, columns))
    )
    moved[row_to, column_to] = array[row_from, column_from]
    return moved


@TRANSFORMS.register_module()
class RandomTranslate(BaseTransform):
    """Translate the image and its labels together by whole pixels, up to ``max_shift`` in each direction.

    Rows and columns are drawn independently and uniformly. At least one row and one column of the picture remain, also
    of one that is smaller than ``max_shift``.

    Required keys: img, seg_fields, and the maps that it names. Modified keys: img, and those maps.

    Args:
        max_shift (int): largest shift in pixels, at least 0; the paper's 32 is the coarsest stride of its networks.
        prob (float): probability to translate at all.
        pad_val (float | Sequence[float]): value of uncovered pixels, in the image's channel order. The default is the
            mean colour (BGR) that the VGG configs subtract, rounded: the network sees about 0, as in its own padding.
        seg_pad_val (int): label of uncovered pixels, by default the ignored one.

    Raises:
        ValueError: for a shift or a probability out of range; when called, for a picture of other bands than
            ``pad_val``.

    Source: "Augmentation" in the experiments of the FCN paper.
    """

    def __init__(
        self,
        max_shift: int = 32,
        prob: float = 1.0,
        pad_val: float | Sequence[float] = (104, 117, 123),
        seg_pad_val: int = 255,
    ) -> None:
        if not isinstance(max_shift, int) or max_shift < 0:
            raise ValueError(f"max_shift must be an integer of at least 0 (pixels), got {max_shift!r}")
        if not 0 <= prob <= 1:
            raise ValueError(f"prob must lie between 0 and 1, got {prob!r}")
        self.max_shift, self.prob = max_shift, prob
        self.pad_val, self.seg_pad_val = pad_val, seg_pad_val

    @cache_randomness
    def random_shift(self, height: int, width: int) -> tuple[int, int]:
        """Draw by how many rows (down) and columns (right) to move a picture of this size."""
        if np.random.rand() >= self.prob:
            return 0, 0
        rows, columns = (min(self.max_shift, size - 1) for size in (height, width))
        return np.random.randint(-rows, rows + 1), np.random.randint(-columns, columns + 1)

    def transform(self, results: dict) -> dict:
        """Translate the image and every map of ``seg_fields``."""
        image = results["img"]
        bands = image.shape[2] if image.ndim == 3 else 1
        if np.size(self.pad_val) not in (1, bands):
            raise ValueError(f"pad_val={self.pad_val} has {np.size(self.pad_val)} values, a picture {bands} bands")
        rows, columns = self.random_shift(*image.shape[:2])
        results["img"] = translate(image, rows, columns, self.pad_val)
        for key in results.get("seg_fields", []):
            results[key] = translate(results[key], rows, columns, self.seg_pad_val)
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(max_shift={self.max_shift}, prob={self.prob}, pad_val={self.pad_val},"
            f" seg_pad_val={self.seg_pad_val})"
        )
