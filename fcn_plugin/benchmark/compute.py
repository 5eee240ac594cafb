"""Floating point operations, and how many of them a device can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from ..paper.patch_classification import measure_time

#: Rows and columns of the matrices whose product is the measure of a device.
MATRIX_SIZES = {"cpu": 2048, "cuda": 8192}


def count_flops(run: Callable[[], object]) -> int:
    """Operations of convolutions and matrix products, also backward; a multiplication and an addition are two."""
    formulas = {torch.ops.aten.convolution_backward: _convolution_backward}
    with FlopCounterMode(display=False, custom_mapping=formulas) as counter:
        run()
    return counter.get_total_flops()


def _convolution_backward(
    grad_shape: Sequence[int], x_shape: Sequence[int], weight_shape: Sequence[int], *args: object, **_: object
) -> int:
    """Each gradient takes as many operations as the forward pass; PyTorch's own formula takes no notice of groups."""
    _, _, _, _, transposed, _, _, (input_wanted, weight_wanted, _) = args
    forward = conv_flop_count(x_shape, weight_shape, grad_shape, transposed=transposed)
    return forward * (input_wanted + weight_wanted)


def matrix_product_rate(device: torch.device, dtype: torch.dtype, size: int | None = None, repeats: int = 5) -> float:
    """Operations per second of a product of large square matrices, the best of several."""
    size = size or MATRIX_SIZES[device.type]
    one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    out = torch.mm(one, other)  # so that no new memory is touched
    seconds = min(measure_time(lambda: torch.mm(one, other, out=out), device) for _ in range(repeats))
    return 2 * size**3 / seconds
