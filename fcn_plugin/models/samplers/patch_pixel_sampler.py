"""Patchwise training as sampling of the loss."""

from __future__ import annotations

from numbers import Real

import torch
from mmseg.registry import TASK_UTILS
from mmseg.structures import BasePixelSampler
from torch import Tensor, nn


def check_probability(value: object, name: str = "keep_prob") -> None:
    """Raise a ValueError unless ``value`` is a probability other than 0."""
    if not (isinstance(value, Real) and 0 < value <= 1):
        raise ValueError(f"{name} must be a number above 0 and at most 1, got {value!r}")


@TASK_UTILS.register_module()
class PatchPixelSampler(BasePixelSampler):
    """Keep each location of the loss with one probability, independently of the others.

    A location is a pixel, or a square of pixels that are kept or dropped together. Kept pixels get the weight
    ``1 / keep_prob``, so that a loss summed over pixels has the whole-image loss as its expected value, exactly. A
    mean of :class:`PixelCrossEntropyLoss` is that over the kept pixels: the factor cancels, the variance is smaller,
    and the expected value is the whole image's up to terms that vanish with the number of locations in the batch. With
    so few locations that all of them may be dropped, such a mean is 0 at times; choose a smaller ``cell`` then.

    The paper keeps the number of pixels in a batch: multiply the batch size by ``1 / keep_prob``. It found sampling to
    converge no faster than whole images, which take less time. Draws come from torch's generator on the device of
    the labels, after the draws of dropout.

    Args:
        keep_prob (float): probability of a location to be kept, above 0 and at most 1 (the whole image).
        cell (int): side of a location in pixels; the grid starts at the first pixel of the image. 32 is a cell of
            FCN-32s' last feature map. Defaults to 1, single pixels.
        context (nn.Module, optional): the decode head, handed in by the toolbox; not used.

    Raises:
        ValueError: for a probability or a side out of range.

    Source: section 3.4 of the FCN paper, and "Patch Sampling" in its experiments.
    """

    def __init__(self, keep_prob: float, cell: int = 1, context: nn.Module | None = None) -> None:
        super().__init__()
        check_probability(keep_prob)
        if not isinstance(cell, int) or cell < 1:
            raise ValueError(f"cell must be an integer of at least 1 (pixels), got {cell!r}")
        self.keep_prob, self.cell = keep_prob, cell

    def sample(self, seg_logit: Tensor, seg_label: Tensor) -> Tensor:
        """Draw the weights of the pixels.

        Args:
            seg_logit (Tensor): logits (N, C, H, W).
            seg_label (Tensor): labels (N, 1, H, W); ignored ones are drawn as well, and stay ignored by the loss.

        Returns:
            Tensor: weights (N, H, W), ``1 / keep_prob`` or 0.
        """
        number, _, height, width = seg_label.shape
        rows, columns = (-(-side // self.cell) for side in (height, width))
        kept = torch.rand(number, rows, columns, device=seg_label.device) < self.keep_prob
        kept = kept.repeat_interleave(self.cell, 1).repeat_interleave(self.cell, 2)[:, :height, :width]
        return kept.to(seg_logit.dtype) / self.keep_prob
