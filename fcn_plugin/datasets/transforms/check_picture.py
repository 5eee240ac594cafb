"""Pictures that a network can take."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CheckPicture(BaseTransform):
    """Refuse a picture that would be predicted as something else, without a word: of other values or channels.

    A caller of the toolbox's ``inference_model`` gives arrays as they are, and what is grey, between 0 and 1, or has
    its channels first passes through the whole network. Whether three channels are BGR cannot be seen.

    Required keys: img.

    Args:
        channels (int): that the network takes.
        any_values (bool): whether values of other types than uint8 are taken, as where pictures are loaded unchanged.

    Raises:
        TypeError: when called, for a picture that is no NumPy array.
        ValueError: when called, for values that are not uint8, and for other shapes than (H, W, channels), or (H, W)
            for one channel.
    """

    def __init__(self, channels: int = 3, any_values: bool = False) -> None:
        self.channels, self.any_values = channels, any_values

    def transform(self, results: dict) -> dict:
        """Check the picture; it stays as it is."""
        self.check(results["img"])
        return results

    def check(self, image: Any) -> None:
        """Check a picture."""
        wanted = {1: "grey (H, W)", 3: "BGR (H, W, 3)"}.get(self.channels, f"(H, W, {self.channels})")
        expected = f"expected a picture, {wanted}" + ("" if self.any_values else ", uint8 from 0 to 255")
        if not isinstance(image, np.ndarray):
            raise TypeError(f"{expected}, as NumPy array, got {type(image).__name__}")
        if image.ndim not in (2, 3) or (1 if image.ndim == 2 else image.shape[2]) != self.channels:
            raise ValueError(f"{expected}, got the shape {image.shape}{self._remedy(image)}")
        if not self.any_values and image.dtype != np.uint8:
            values = f" from {image.min()} to {image.max()}" if image.size else ""
            raise ValueError(f"{expected}, got {image.dtype}{values}: scale it, and round it with .astype('uint8')")
        if not image.size:
            raise ValueError(f"{expected}, got no pixel: {image.shape}")

    def _remedy(self, image: np.ndarray) -> str:
        if image.ndim == 3 and image.shape[0] == self.channels:
            return ": bring the channels to the end with .transpose(1, 2, 0)"
        if self.channels == 3 and image.ndim == 2:
            return ": make it colour with cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)"
        if self.channels == 3 and image.ndim == 3 and image.shape[2] == 4:
            return ": leave the transparency out with [..., :3]"
        return ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(channels={self.channels}, any_values={self.any_values})"
