"""The dense form of a network: no subsampling, and holes ("trous") in the filters that follow."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.utils import _pair

from ..models.backbones.googlenet import Inception

#: Layers that look at one place at a time, which are the same in every form.
POINTWISE = (nn.ReLU, nn.Dropout, nn.LocalResponseNorm, nn.Identity, _BatchNorm)


def layers_in_order(model: EncoderDecoder, images: Tensor) -> list[nn.Module]:
    """The parts of a segmentor's backbone and neck, in the order in which they run up to the map that the head scores.

    Args:
        model (EncoderDecoder): a network in eval mode; its head scores one map.
        images (Tensor): any image (N, 3, H, W) that is large enough for it.

    Raises:
        ValueError: if they are no chain, each working on the output of the one before.
    """
    parts = [part for module in (model.backbone, getattr(model, "neck", None)) if module for part in module.children()]
    calls: list[tuple[nn.Module, Tensor, Tensor]] = []
    hooks = [
        part.register_forward_hook(lambda part, args, output: calls.append((part, args[0], output))) for part in parts
    ]
    try:
        with torch.no_grad():
            last = model.extract_feat(images)[model.decode_head.in_index[-1]]
    finally:
        for hook in hooks:
            hook.remove()
    if not any(output is last for _, _, output in calls):
        raise ValueError(f"the layers of {type(model.backbone).__name__} are not known to be a chain")
    while calls[-1][2] is not last:  # of maps that the head does not use
        calls.pop()
    outputs = [images, *(output for _, _, output in calls)]
    for (part, given, _), expected in zip(calls, outputs):
        if given is not expected:
            raise ValueError(
                f"{type(model.backbone).__name__} is no chain of layers: {type(part).__name__} does not follow the one"
                " before it; dense scores of this network come by mode='shift_and_stitch' alone"
            )
    return [part for part, _, _ in calls]


def dense_form(layers: Sequence[nn.Module], stride: int, padded: bool = True) -> nn.Sequential:
    """A network with the same weights that gives its scores every ``stride`` pixels.

    Layers subsample only as far as the stride allows. What follows a layer that no longer does has its filters dilated
    (rarefied) by the missing factor, and its padding as well, so that each filter looks at the same places as before.
    The weights are shared, not copied: they may change later, and take no memory.

    The scores are those of :func:`shift_and_stitch`, if the image starts with as many zeros as the largest shift has.
    Nothing is computed twice, but all maps behind the stride are kept at full size: at stride 1, VGG16's fc6 and fc7
    take 4096 floats a pixel each.

    Args:
        layers (Sequence[nn.Module]): convolutions, max poolings, inception modules, and layers that look at one place
            at a time, as from :func:`layers_in_order`.
        stride (int): distance of the scores, in pixels; a divisor of the network's stride.
        padded (bool): pad as the network does. Without padding, a map has those cells alone whose receptive field lies
            in the image; its place is that of one convolution as large as the field.

    Shapes: (N, 3, H, W) -> (N, C, h, w), C as in the network.

    Raises:
        ValueError: for a stride that is no divisor, or a layer that has no dense form.

    Source: section 3.2 of the FCN paper, "Shift-and-stitch is filter rarefaction" (CVPR) or "filter dilation" (PAMI).
    """
    before = after = 1  # strides up to the current layer, in the network and in its dense form
    dense = []
    for layer in layers:
        (step,) = _strides(layer)
        wanted = math.gcd(before * step, stride)
        dense.append(_dense(layer, before // after, wanted // after, padded))
        before, after = before * step, wanted
    if after != stride:
        raise ValueError(f"the stride of dense scores must be a divisor of the network's {before}: got {stride}")
    return nn.Sequential(*dense)


def _dense(layer: nn.Module, dilation: int, stride: int, padded: bool) -> nn.Module:
    """One layer whose input is ``dilation`` times as dense as before, with another stride."""
    if isinstance(layer, nn.Conv2d) and isinstance(layer.padding, tuple) and layer.padding_mode == "zeros":
        dense = copy.copy(layer)  # shares the weights
        dense.dilation = tuple(d * dilation for d in layer.dilation)
        dense.padding = tuple(p * dilation if padded else 0 for p in layer.padding)
        dense.stride = (stride, stride)
        return dense
    if isinstance(layer, nn.MaxPool2d):
        return DenseMaxPool(layer, dilation, stride, padded)
    if isinstance(layer, POINTWISE):
        return layer
    if not isinstance(layer, Inception):
        raise ValueError(
            f"{type(layer).__name__} has no dense form: expected convolutions padded with zeros, max poolings,"
            " inception modules, or layers that look at one place at a time"
        )
    dense = copy.copy(layer)
    dense._modules = {name: _dense(part, dilation, 1, padded=True) for name, part in layer.named_children()}
    if padded:
        return dense
    # the branches, which pad differently, fit together only padded; what the padding has touched is cut off
    margin = max(_pair(getattr(part, "padding", 0))[0] for part in layer.children())
    return nn.Sequential(dense, nn.ZeroPad2d(-dilation * margin))


def _strides(layer: nn.Module) -> set[int]:
    """The stride of a layer, of both if its axes differ."""
    return set(_pair(layer.stride)) if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)) else {1}


class DenseMaxPool(nn.Module):
    """Max pooling in the dense form of a network; in ceil mode also with the windows that stand out at the end.

    Args:
        pool (nn.MaxPool2d): the pooling of the network.
        dilation (int): distance of the window's cells.
        stride (int): its stride in the dense form.
        padded (bool): pad as ``pool`` does.
    """

    def __init__(self, pool: nn.MaxPool2d, dilation: int, stride: int, padded: bool) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.stride = pool.kernel_size, dilation, stride
        # windows that stand out by less than the network's stride
        beyond = pool.stride - 1 if pool.ceil_mode else 0
        self.before, self.after = (dilation * pool.padding, dilation * (pool.padding + beyond)) if padded else (0, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Pad with minus infinity, which no window has as its maximum, and pool."""
        x = F.pad(x, (self.before, self.after, self.before, self.after), value=-torch.inf)
        return F.max_pool2d(x, self.kernel_size, self.stride, dilation=self.dilation)
