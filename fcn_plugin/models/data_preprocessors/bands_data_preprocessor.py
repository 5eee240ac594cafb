"""Batches of pictures of any number of bands."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS


@MODELS.register_module()
class BandsDataPreProcessor(SegDataPreProcessor):
    """The toolbox's preprocessor for any number of bands, where its own knows one or three.

    Args:
        mean (Sequence[float]): of each band, in the order in which the picture is loaded; with ``bgr_to_rgb``, which is
            for three bands alone, in the order RGB.
        std (Sequence[float]): standard deviation of each band.
        **kwargs: of the toolbox's SegDataPreProcessor (``size``, ``size_divisor``, ``test_cfg``, ...).

    Raises:
        ValueError: for no band, other numbers of means than of standard deviations, or values that are not finite or
            not positive, or an order of colours for other than three bands; when called, for pictures of other bands.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], **kwargs) -> None:
        mean, std = [float(value) for value in mean], [float(value) for value in std]
        if not mean or len(mean) != len(std):
            raise ValueError(f"mean and std must have one value for each band, got {len(mean)} and {len(std)} values")
        if not all(map(math.isfinite, mean + std)) or min(std) <= 0:
            raise ValueError(f"mean must be finite, and std positive and finite, got mean={mean} and std={std}")
        if len(mean) != 3 and (order := [name for name in ("bgr_to_rgb", "rgb_to_bgr") if kwargs.get(name)]):
            raise ValueError(f"{order[0]} is for three bands, and there are {len(mean)} means: leave it out")
        super().__init__(mean=mean[:1], std=std[:1], **kwargs)
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Normalise and pad a batch, as the toolbox does: ``inputs`` of (N, H, W) each become (batch, N, H, W)."""
        for one in data["inputs"]:
            if one.shape[-3] != len(self.mean):
                raise ValueError(
                    f"{type(self).__name__} has {len(self.mean)} means, and a picture {one.shape[-3]} bands: give"
                    " model.data_preprocessor.mean and std one value for each band"
                )
        return super().forward(data, training)
