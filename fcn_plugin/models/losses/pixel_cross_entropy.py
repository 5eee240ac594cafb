"""Cross entropy over pixels, summed or averaged exactly, also over several processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.dist import all_reduce, get_world_size
from mmseg.models.losses.utils import get_class_weight
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class PixelCrossEntropyLoss(nn.Module):
    """Softmax cross entropy whose gradient does not depend on how a batch is spread over processes.

    Distributed training averages the gradients of its processes. A loss summed over pixels (the PAMI recipe) would so
    shrink with their number, and one averaged over the pixels that are not ignored would weigh the processes alike
    whatever they hold. Here both come out as in one process with the whole batch. Class weights work with ignored
    pixels, which they do not in the toolbox's CrossEntropyLoss.

    Args:
        reduction (str): 'mean' over the pixels that are not ignored, weighted by their weights (CVPR recipe), or 'sum'
            over them (PAMI recipe).
        class_weight (Sequence[float] | str, optional): a weight per class, or a file of them, as in the toolbox.
        loss_weight (float): factor on the loss.
        loss_name (str): name in the log; it must start with ``loss_`` to be trained on.

    Source: sections 3.4 and 4.3 of the FCN paper; ``SoftmaxWithLoss`` of the reference, with ``normalize: false``.
    """

    def __init__(
        self,
        reduction: str = "mean",
        class_weight: Sequence[float] | str | None = None,
        loss_weight: float = 1.0,
        loss_name: str = "loss_ce",
    ) -> None:
        super().__init__()
        if reduction not in ("mean", "sum"):
            raise ValueError(f"reduction must be 'mean' or 'sum', got {reduction!r}")
        self.reduction, self.loss_weight = reduction, loss_weight
        self.class_weight = get_class_weight(class_weight)
        self.loss_name = loss_name

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
        ignore_index: int = 255,
        **_,
    ) -> Tensor:
        """Compute the loss.

        Args:
            cls_score (Tensor): logits (N, C, H, W).
            label (Tensor): class indices (N, H, W), ``ignore_index`` where there is no label.
            weight (Tensor, optional): pixel weights (N, H, W), from a pixel sampler.
            avg_factor (float, optional): divides the summed loss instead of the number of pixels ('mean' only).
            reduction_override (str, optional): 'none', 'mean' or 'sum'.

        Returns:
            Tensor: a scalar, or (N, H, W) for 'none'.
        """
        reduction = reduction_override or self.reduction
        if reduction == "none":
            return self.loss_weight * self._of_pixels(cls_score, label, weight, ignore_index)
        total = self.total(cls_score, label, weight, ignore_index)
        return self.reduced(total, label, weight, ignore_index, avg_factor, reduction)

    def total(self, cls_score: Tensor, label: Tensor, weight: Tensor | None, ignore_index: int) -> Tensor:
        """The loss summed over pixels, a scalar, with the weights of classes and pixels; arguments as of forward."""
        return self._of_pixels(cls_score, label, weight, ignore_index).sum()

    def reduced(
        self,
        total: Tensor,
        label: Tensor,
        weight: Tensor | None,
        ignore_index: int,
        avg_factor: float | None = None,
        reduction: str | None = None,
    ) -> Tensor:
        """The loss of a batch from its sum, which may have been added up over parts of its images."""
        if (reduction or self.reduction) == "sum":
            return self.loss_weight * total * get_world_size()
        if avg_factor is None:
            avg_factor = self._pixel_weight(label, weight, ignore_index, total)
        return self.loss_weight * total / avg_factor

    def _of_pixels(self, cls_score: Tensor, label: Tensor, weight: Tensor | None, ignore_index: int) -> Tensor:
        if label.max() >= cls_score.shape[1] and (wrong := label[label != ignore_index]).numel():
            if wrong.max() >= cls_score.shape[1]:
                raise ValueError(
                    f"a label of {int(wrong.max())} for {cls_score.shape[1]} classes (ignored: {ignore_index}):"
                    " num_classes does not fit the data set"
                )
        class_weight = None if self.class_weight is None else cls_score.new_tensor(self.class_weight)
        loss = F.cross_entropy(cls_score, label, class_weight, ignore_index=ignore_index, reduction="none")
        return loss if weight is None else loss * weight

    def _pixel_weight(self, label: Tensor, weight: Tensor | None, ignore_index: int, like: Tensor) -> Tensor:
        """Summed weight of the labelled pixels, averaged over the processes (1 if there are none at all)."""
        labelled = label != ignore_index
        pixel_weight = labelled.to(like.dtype)
        if self.class_weight is not None:
            class_weight = like.new_tensor(self.class_weight)
            pixel_weight = pixel_weight * class_weight[label.where(labelled, label.new_zeros(()))]
        if weight is not None:
            pixel_weight = pixel_weight * weight
        total = pixel_weight.sum().double()
        all_reduce(total, op="mean")
        return (total if total > 0 else total.new_ones(())).to(like.dtype)
