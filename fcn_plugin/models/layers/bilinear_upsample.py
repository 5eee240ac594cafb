"""Upsampling by a transposed convolution with bilinear weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def bilinear_kernel(size: int) -> Tensor:
    """The 2-D bilinear interpolation kernel of ``size`` x ``size``.

    An even size ``2s`` and an odd one ``2s - 1`` both upsample by ``s``; they differ by half an output cell in phase.
    Source: section 3.3 of the FCN paper.
    """
    factor = (size + 1) // 2
    centre = (size - 1) / 2
    profile = 1 - (torch.arange(size, dtype=torch.float64) - centre).abs() / factor
    return torch.outer(profile, profile).float()


class BilinearUpsample(nn.ConvTranspose2d):
    """Transposed convolution that starts as bilinear interpolation, without padding or bias.

    A fixed layer keeps one kernel per channel, weight (C, 1, k, k), and takes no gradient; a learnable one is dense
    over the channels as in the reference, weight (C, C, k, k). Checkpoints of either layout load into both.

    Args:
        channels (int): number of classes C.
        kernel_size (int): k, twice the factor or one less.
        factor (int): upsampling factor.
        learnable (bool): whether the kernel is trained. Defaults to False.

    Shapes: (N, C, h, w) -> (N, C, factor * (h - 1) + k, factor * (w - 1) + k).
    """

    def __init__(self, channels: int, kernel_size: int, factor: int, learnable: bool = False) -> None:
        groups = 1 if learnable else channels
        super().__init__(channels, channels, kernel_size, stride=factor, bias=False, groups=groups)
        self.learnable = learnable
        self.weight.requires_grad_(learnable)

    def reset_parameters(self) -> None:
        """Set the bilinear kernel on the channel diagonal, zero elsewhere."""
        kernel = bilinear_kernel(self.kernel_size[0])
        with torch.no_grad():
            self.weight.zero_()
            diagonal = torch.arange(self.in_channels)
            self.weight[diagonal, diagonal if self.groups == 1 else 0] = kernel

    def forward(self, x: Tensor) -> Tensor:
        """Upsample, in the type of the input also where the kernel is of 16 bits."""
        return F.conv_transpose2d(x, self.weight.to(x.dtype), stride=self.stride, groups=self.groups)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors) -> None:
        key = f"{prefix}weight"
        weight = state_dict.get(key)
        if weight is not None and weight.ndim == 4 and weight.shape[1] != self.weight.shape[1]:
            try:
                state_dict[key] = self.to_own_layout(weight)
            except ValueError as error:
                errors.append(f"{key}: {error}")
                state_dict[key] = self.weight.detach()
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)

    def to_own_layout(self, weight: Tensor) -> Tensor:
        """Convert between the dense (C, C, k, k) and the per-channel (C, 1, k, k) layout.

        Raises:
            ValueError: for a dense kernel that mixes classes, if this layer is fixed.
        """
        channels, diagonal = self.in_channels, torch.arange(self.in_channels)
        if len(weight) != channels:
            return weight  # another number of classes: a plain shape mismatch
        if self.learnable and weight.shape[1] == 1:
            dense = weight.new_zeros(channels, channels, *weight.shape[2:])
            dense[diagonal, diagonal] = weight[:, 0]
            return dense
        if not self.learnable and weight.shape[1] == channels:
            mixing = weight.clone()
            mixing[diagonal, diagonal] = 0
            if mixing.any():
                raise ValueError("the checkpoint's upsampling mixes classes: set learnable_upsampling=True")
            return weight[diagonal, diagonal].unsqueeze(1)
        return weight
