"""Local response normalisation, as in the networks before batch normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ResponseNorm(nn.LocalResponseNorm):
    """Local response normalisation across channels, in float32 at least; by default with the settings of Caffe's nets.

    With Caffe's input range, activations reach hundreds: in float16 their squares would be infinite.

    Shapes: (N, C, H, W) -> the same.

    Source: layers ``norm1`` and ``norm2`` of Caffe's ``bvlc_reference_caffenet`` and ``bvlc_googlenet``.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__(size, alpha, beta, k)

    def forward(self, x: Tensor) -> Tensor:
        """Divide each value by ``(k + alpha / size * sum of squares over size channels) ** beta``."""
        return super().forward(x.to(torch.promote_types(x.dtype, torch.float32))).to(x.dtype)
