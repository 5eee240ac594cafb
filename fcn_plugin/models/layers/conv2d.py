"""A convolution whose padding can be given with the call."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Conv2d(nn.Conv2d):
    """``nn.Conv2d`` for maps that come with their padding_reuse, or are padded otherwise.

    Shapes: (N, in_channels, H, W) -> (N, out_channels, h, w), as of ``nn.Conv2d`` with that padding.
    """

    def forward(self, x: Tensor, padding: int | None = None) -> Tensor:
        """Convolve; ``padding`` (zeros on each side) replaces the layer's own for this call."""
        if padding is None:
            return super().forward(x)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)
