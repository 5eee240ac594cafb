"""The last upsampling and the loss in strips of rows, so that the logits of whole images never exist at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..losses.of_head import losses_of
from ..losses.pixel_cross_entropy import PixelCrossEntropyLoss
from ..samplers import ClassPixelSampler, PatchPixelSampler

#: Bytes of the logits of a batch from which on strips are used, and of those of a strip.
LARGE, STRIP = 64 * 2**20, 4 * 2**20


def rows_of_strips(batch: int, classes: int, size: tuple[int, int], strips: bool | None) -> int | None:
    """How many rows a strip has; None if a batch needs no strips.

    Args:
        batch (int): number of images.
        classes (int): number of scores of a pixel, float32.
        size (tuple[int, int]): height and width of the images, in pixels.
        strips (bool, optional): whether to use them; by default if the logits are large.
    """
    row = 4 * batch * classes * size[1]
    if strips is False or (strips is None and row * size[0] < LARGE):
        return None
    return max(1, STRIP // row)


def adds_up(head: nn.Module) -> bool:
    """Whether the losses of a head are sums over pixels, and its sampler, if it has one, looks at labels alone."""
    by_labels = head.sampler is None or isinstance(head.sampler, (ClassPixelSampler, PatchPixelSampler))
    return by_labels and all(isinstance(loss, PixelCrossEntropyLoss) for loss in losses_of(head))


def losses_in_strips(
    logits_of: Callable[[Tensor, slice], Tensor],
    score: Tensor,
    labels: Tensor,
    losses: Sequence[PixelCrossEntropyLoss],
    weight: Tensor | None,
    ignore_index: int,
    rows: int,
) -> dict[str, Tensor]:
    """The losses of a batch, and its pixel accuracy, as the toolbox's head computes them from all logits at once.

    Each strip is computed again in the backward pass, so only ``score`` is kept for it.

    Args:
        logits_of (Callable): the logits (N, C, rows, W) of some rows of the images, from ``score``.
        score (Tensor): (N, C, h, w), before the last upsampling.
        labels (Tensor): class indices (N, H, W).
        losses (Sequence[PixelCrossEntropyLoss]): those of the head.
        weight (Tensor, optional): pixel weights (N, H, W).
        ignore_index (int): pixels with this label do not count.
        rows (int): of a strip.

    Returns:
        dict[str, Tensor]: by the losses' names, and ``acc_seg`` in percent.
    """

    def strip(score: Tensor, rows: slice) -> tuple[Tensor, ...]:
        logits, label = logits_of(score, rows), labels[:, rows]
        pixel_weight = None if weight is None else weight[:, rows]
        sums = [loss.total(logits, label, pixel_weight, ignore_index) for loss in losses]
        with torch.no_grad():
            right = (logits.max(dim=1).indices == label) & (label != ignore_index)
        return *sums, right.sum()

    height = labels.shape[1]
    parts = [
        checkpoint(strip, score, slice(start, min(start + rows, height)), use_reentrant=False)
        for start in range(0, height, rows)
    ]
    *sums, right = (torch.stack(values).sum() for values in zip(*parts))
    named: dict[str, Tensor] = {}
    for loss, total in zip(losses, sums):
        value = loss.reduced(total, labels, weight, ignore_index)
        named[loss.loss_name] = named[loss.loss_name] + value if loss.loss_name in named else value
    named["acc_seg"] = 100 * right / (labels != ignore_index).sum().clamp(min=1)
    return named
