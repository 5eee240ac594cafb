"""The demo's data set of drawn shapes."""

from __future__ import annotations

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS


@DATASETS.register_module()
class ShapesDataset(BaseSegDataset):
    """Overlapping textured shapes in VOC layout, as ``tools/make_shapes.py`` draws them."""

    METAINFO = dict(
        classes=("background", "disc", "ring", "square", "triangle", "cross"),
        palette=[[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128]],
    )
