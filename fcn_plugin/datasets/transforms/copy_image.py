"""Images in memory of their own."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CopyImage(BaseTransform):
    """Copy the image, of which a flip only gives a view from behind.

    NumPy calls such a view of a single column contiguous, and the toolbox's PackSegInputs hands it to PyTorch, which
    refuses it.

    Required and modified keys: img.
    """

    def transform(self, results: dict) -> dict:
        """Replace the image by a copy of it."""
        results["img"] = np.array(results["img"], order="C")
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
