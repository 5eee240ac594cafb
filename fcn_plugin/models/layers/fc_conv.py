"""A fully connected layer as a convolution, fast where its weights are many times larger than its maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from ...utils.torch_versions import get_autocast_dtype, is_autocast_enabled, is_compiling

#: Filters whose weights are converted to the dtype of the computation at a time.
BLOCK = 512


class FCConv(nn.Conv2d):
    """A convolution for few cells and many weights: fc6 has 103 million, and 192 cells on an image of 500x375 pixels.

    On a CPU, it is computed as a matrix product. In mixed precision, the weights are converted a block of filters at a
    time, so there is never a copy of all of them, nor of their gradient in another layout or dtype. On other devices,
    for many cells, and once its strides or dilations were changed, it is a bare ``nn.Conv2d``.

    Args:
        in_channels (int): channels of the map.
        out_channels (int): number of filters.
        kernel_size (int): their side.
        padding (int): zeros around the map. Defaults to 0.

    Shapes: (N, in_channels, H, W) -> (N, out_channels, H - k + 1 + 2 * padding, W - k + 1 + 2 * padding).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, in autocast's dtype if it is on."""
        if x.device.type == "cpu":
            x = x.contiguous()  # as the weights are: converting the map takes less
        if not self._by_blocks(x):
            return super().forward(x)
        dtype = get_autocast_dtype("cpu") if is_autocast_enabled("cpu") else x.dtype
        padded = F.pad(x.to(dtype), [self.padding[0]] * 4)
        return _BlockwiseConv.apply(padded, self.weight) + self.bias.to(dtype)[:, None, None]

    def _by_blocks(self, x: Tensor) -> bool:
        """Whether it pays: there is something to convert or to train, and the windows take less than the weights."""
        if x.device.type != "cpu" or is_compiling() or (*self.stride, *self.dilation) != (1, 1, 1, 1):
            return False
        if torch.jit.is_tracing():  # keeps no function of Python
            return False
        if not is_autocast_enabled("cpu") and not torch.is_grad_enabled():
            return False
        size = [length + 2 * self.padding[0] - self.kernel_size[0] + 1 for length in x.shape[2:]]
        return len(x) * size[0] * size[1] <= self.out_channels // 2


class _BlockwiseConv(torch.autograd.Function):
    """The convolution and its gradients as matrix products, by blocks of filters."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        if x.dtype == weight.dtype:
            return F.conv2d(x, weight)
        windows = _windows(x, weight)
        out = torch.cat([block.to(x.dtype) @ windows for block in weight.flatten(1).split(BLOCK)])
        height, width = (size - kernel + 1 for size, kernel in zip(x.shape[2:], weight.shape[2:]))
        return out.view(-1, len(x), height, width).transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        for_x, for_weight = ctx.needs_input_grad
        windows, filters = _windows(x, weight), weight.flatten(1)
        grad = grad.transpose(0, 1).flatten(1)
        grad_windows = torch.zeros_like(windows, dtype=weight.dtype) if for_x else None
        grad_filters = torch.empty_like(filters) if for_weight else None
        for i in range(0, len(filters), BLOCK):
            block = slice(i, i + BLOCK)
            if for_x:
                grad_windows += filters[block].T.to(grad.dtype) @ grad[block]
            if for_weight:
                grad_filters[block] = grad[block] @ windows.T
        grad_x = None
        if for_x:
            grad_windows = grad_windows.view(len(windows), len(x), -1).transpose(0, 1)
            grad_x = F.fold(grad_windows, x.shape[2:], weight.shape[2:]).to(x.dtype)
        return grad_x, grad_filters.view_as(weight) if for_weight else None


def _windows(x: Tensor, weight: Tensor) -> Tensor:
    """What each filter looks at: (N, C, H, W) -> (C * k * k, N * h * w)."""
    return F.unfold(x, weight.shape[2:]).transpose(0, 1).flatten(1)
