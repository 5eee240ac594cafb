"""The Semantic Boundaries Dataset: VOC's images with further labels."""

from __future__ import annotations

from collections.abc import Mapping

from mmseg.datasets import PascalVOCDataset
from mmseg.registry import DATASETS


@DATASETS.register_module()
class SBDDataset(PascalVOCDataset):
    """SBD's labels beside VOC2012's images, as ``fcn prepare voc`` writes them: classes and palette are VOC's.

    Unlike VOC's own, these labels have no ignored border around the objects.

    Source: Hariharan et al., "Semantic Contours from Inverse Detectors", 2011.

    Args:
        ann_file (str): list of images.
        data_prefix (Mapping, optional): folders of images and labels, ``JPEGImages`` and ``SegmentationClassSBD`` by
            default.
        **kwargs: those of the toolbox's dataset, such as ``data_root`` and ``pipeline``.
    """

    METAINFO = PascalVOCDataset.METAINFO

    def __init__(
        self,
        ann_file: str = "ImageSets/Segmentation/sbd_train.txt",
        data_prefix: Mapping[str, str] | None = None,
        **kwargs,
    ) -> None:
        folders = dict(img_path="JPEGImages", seg_map_path="SegmentationClassSBD")
        super().__init__(ann_file=ann_file, data_prefix={**folders, **(data_prefix or {})}, **kwargs)
