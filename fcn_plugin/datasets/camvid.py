"""CamVid with the 11 classes of SegNet's release."""

from __future__ import annotations

import mmengine.fileio as fileio
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS


@DATASETS.register_module()
class CamVidDataset(BaseSegDataset):
    """CamVid, 480x360, in VOC layout: index labels 0 to 10, 255 for void.

    Source: Brostow et al., "Semantic Object Classes in Video", 2009; classes as in the SegNet tutorial's release.

    Args:
        img_suffix (str, optional): that of the images. By default ``.png``, as in the release and as
            ``fcn prepare camvid`` writes them, or ``.jpg`` if the first image of the list is there as JPEG alone.
        **kwargs: those of the toolbox's dataset.
    """

    METAINFO = dict(
        classes=(
            "sky",
            "building",
            "pole",
            "road",
            "pavement",
            "tree",
            "signsymbol",
            "fence",
            "car",
            "pedestrian",
            "bicyclist",
        ),
        palette=[
            [128, 128, 128],
            [128, 0, 0],
            [192, 192, 128],
            [128, 64, 128],
            [60, 40, 222],
            [128, 128, 0],
            [192, 128, 128],
            [64, 64, 128],
            [64, 0, 128],
            [64, 64, 0],
            [0, 128, 192],
        ],
    )

    def __init__(self, img_suffix: str | None = None, **kwargs) -> None:
        self.finds_suffix = img_suffix is None
        super().__init__(img_suffix=img_suffix or ".png", **kwargs)

    def load_data_list(self) -> list[dict]:
        """The samples of the list, as the toolbox has them."""
        samples = super().load_data_list()
        if self.finds_suffix and not (samples and fileio.exists(samples[0]["img_path"], self.backend_args)):
            self.img_suffix = ".jpg"
            samples = super().load_data_list()
        return samples
