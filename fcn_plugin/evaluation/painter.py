"""Class indices painted over their images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from mmengine.structures import PixelData
from mmseg.visualization import SegLocalVisualizer


class Painter(SegLocalVisualizer):
    """The toolbox's visualiser without its storages, which it has in the first of several processes alone.

    Args:
        dataset_meta (Mapping): ``classes`` and ``palette``.
        opacity (float): of the colours of the classes, from 0 to 1.
        name (str): which each visualiser of the toolbox must have.
    """

    def __init__(self, dataset_meta: Mapping, opacity: float, name: str = "painter") -> None:
        super().__init__(name, alpha=opacity)
        self.classes, self.palette = dataset_meta["classes"], dataset_meta["palette"]

    def paint(self, image: np.ndarray, indices: np.ndarray, names: bool = False) -> np.ndarray:
        """Paint class indices, integers (H, W), over a picture, BGR, uint8 (H, W, 3): RGB of the same shape.

        With ``names``, those of the classes are written into it. Indices that are no class are black.
        """
        sem_seg = PixelData(data=np.asarray(indices)[None])  # a tensor of one pixel is not painted
        return self._draw_sem_seg(np.ascontiguousarray(image[..., ::-1]), sem_seg, self.classes, self.palette, names)
