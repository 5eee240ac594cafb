"""A trial of the losses of a head, which tells when it is built whether they can train it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import chain

import torch
from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from ...utils.text import first_line
from .of_head import losses_of
from .pixel_cross_entropy import PixelCrossEntropyLoss

#: Height and width of the pictures of a trial, in pixels.
SIZE = (48, 64)


def other_losses(head: BaseDecodeHead) -> Iterator[nn.Module]:
    """The losses of a built head that a trial tells something of: none of this package, nor of a head that calls them
    in a way of its own, nor with several processes, for which they may wait.
    """
    if type(head).loss_by_feat is not BaseDecodeHead.loss_by_feat or get_world_size() > 1:
        return
    for loss in losses_of(head):
        tensors = chain(loss.parameters(), loss.buffers())
        if not isinstance(loss, PixelCrossEntropyLoss) and not any(one.is_meta for one in tensors):
            yield loss


def check_losses(head: BaseDecodeHead, trains: bool = False) -> list[str]:
    """Check by a trial that the losses of a built head take its logits and the labels of pictures.

    Args:
        head (BaseDecodeHead): the head.
        trains (bool): whether it will be trained here. Without, a RuntimeError counts for nothing: a loss that is for a
            GPU alone may stand in the config of a model that is used elsewhere.

    Returns:
        list[str]: types of the losses that train the scores where pixels are ignored, too.

    Raises:
        ValueError: naming the loss, and why it cannot train the head.
    """
    scores, remedy = f"{head.out_channels} scores", "take one of those listed in docs/own_head.md"
    if head.out_channels == 1:
        scores = "1 score"
        remedy = "set loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True), or leave out_channels out"
    where = f"a head of {scores} a pixel, with labels of {head.num_classes} classes"
    if head.sampler is not None:
        where += f" and weights of {type(head.sampler).__name__}"
    minds_ignored = []
    for loss in other_losses(head):
        name = type(loss).__name__
        if not isinstance(getattr(loss, "loss_name", None), str):
            raise ValueError(f"{name} has no loss_name, under which the toolbox logs it: give it one")
        try:
            value, gradient, ignored = _tried(head, loss)
            reason = "" if value.isfinite().all() and gradient.isfinite().all() else "it is not finite"
            if gradient[ignored].abs().sum() > 1e-4 * gradient.abs().sum():
                minds_ignored.append(name)
        except Exception as error:  # whatever a loss raises
            without_values = "meta" in str(error).lower()
            untold = isinstance(error, RuntimeError) and (not trains or without_values)
            reason = "" if untold else first_line(error)
        if reason:
            raise ValueError(f"{name} cannot train {where} ({reason}): {remedy}")
    return minds_ignored


def _tried(head: BaseDecodeHead, loss: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    """A loss, its gradient in the logits, and which of these are of ignored pixels; on a GPU if not on the CPU."""
    with torch.enable_grad(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _run(head, loss, "cpu")
        except Exception:  # of whatever kind; some are for a GPU alone
            if get_device() == "cpu":
                raise
            return _run(head, loss, get_device())


def _run(head: BaseDecodeHead, loss: nn.Module, device: str) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, head.out_channels, *SIZE, generator=generator, device="cpu")
    labels = torch.randint(0, head.num_classes, (2, *SIZE), generator=generator, device="cpu")
    labels[:, : SIZE[0] // 4] = head.ignore_index
    logits, labels = logits.to(device).requires_grad_(), labels.to(device)
    weight = None if head.sampler is None else head.sampler.sample(logits, labels[:, None])
    value = loss(logits, labels, weight=weight, ignore_index=head.ignore_index)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    return value, gradient, (labels == head.ignore_index)[:, None].expand_as(gradient)
