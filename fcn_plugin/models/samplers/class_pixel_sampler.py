"""Class balancing as sampling of the loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import TASK_UTILS
from mmseg.structures import BasePixelSampler
from torch import Tensor, nn

from .patch_pixel_sampler import check_probability


@TASK_UTILS.register_module()
class ClassPixelSampler(BasePixelSampler):
    """Keep each pixel with the probability of its class, independently of the others.

    Unlike those of :class:`PatchPixelSampler`, kept pixels are not scaled up: that would undo the balance, which is the
    purpose here. The expected loss is that of ``PixelCrossEntropyLoss(class_weight=keep_prob)`` on all pixels: exactly
    for a sum, and nearly for a mean, which is that over the kept pixels. Draws come from torch's generator on the
    device of the labels, after the draws of dropout.

    Args:
        keep_prob (Sequence[float]): a probability per class, each above 0 and at most 1.
        context (nn.Module): the decode head, handed in by the toolbox.

    Raises:
        ValueError: for probabilities out of range, or another number of them than the head has classes.

    Source: section 3.4 of the FCN paper, and "Class Balancing" in its experiments (which it found unnecessary).
    """

    def __init__(self, keep_prob: Sequence[float], context: nn.Module) -> None:
        super().__init__()
        if not isinstance(keep_prob, Sequence) or len(keep_prob) != context.num_classes:
            raise ValueError(
                f"keep_prob must list a probability for each of {context.num_classes} classes, got {keep_prob}"
            )
        for label, probability in enumerate(keep_prob):
            check_probability(probability, f"keep_prob of class {label}")
        self.keep_prob, self.context = tuple(keep_prob), context

    def sample(self, seg_logit: Tensor, seg_label: Tensor) -> Tensor:
        """Draw the weights of the pixels.

        Args:
            seg_logit (Tensor): logits (N, C, H, W).
            seg_label (Tensor): labels (N, 1, H, W).

        Returns:
            Tensor: weights (N, H, W), 1 or 0; 0 for ignored pixels.
        """
        label = seg_label.squeeze(1)
        # labels out of range are left to the loss, which reports them
        keep_prob = seg_logit.new_tensor(self.keep_prob)[label.clamp(0, len(self.keep_prob) - 1)]
        kept = (torch.rand_like(keep_prob) < keep_prob) & (label != self.context.ignore_index)
        return kept.to(seg_logit.dtype)
