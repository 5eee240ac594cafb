"""Class scores by a convolution that computes in the type of its input."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ScoreConv(nn.Conv2d):
    """A 1x1 convolution whose weights start at zero; in a model of 16 bits, it computes in the float32 of its input.

    Args:
        in_channels (int): channels of the map.
        num_classes (int): number of scores.

    Shapes: (N, in_channels, h, w) -> (N, num_classes, h, w).
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__(in_channels, num_classes, 1)

    def reset_parameters(self) -> None:
        """Set weights and biases to zero, as in the reference."""
        super().reset_parameters()  # draws, so that a seed gives the layers that are built later the same weights
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Score each cell."""
        return F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype))
