"""Narrow networks without skips, for the tests of dense scores and of patches."""

from __future__ import annotations

import torch
from mmengine.registry import init_default_scope
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch.nn.modules.batchnorm import _BatchNorm

import fcn_plugin  # noqa: F401  its components, by name

#: Backbone and neck, and the side of the receptive field in pixels.
NETWORKS = {
    "vgg11": (dict(type="FCNVGG", depth=11), dict(fc6_kernel=1), 150),
    "vgg11-bn": (dict(type="FCNVGG", depth=11, norm_cfg=dict(type="BN")), dict(fc6_kernel=3, fc6_padding="same"), 214),
    "vgg16": (dict(type="FCNVGG"), dict(), 404),
    "caffenet": (dict(type="CaffeNet"), dict(fc6_kernel=6), 355),
    "googlenet": (dict(type="GoogLeNet"), None, 715),
}

FC_CHANNELS = 16


def fcn32s(network: str, padding: int, width: float = 0.02, **test_cfg) -> EncoderDecoder:
    """A narrow FCN-32s of three classes with random weights, in float64 and eval mode."""
    init_default_scope("mmseg")
    backbone, neck, _ = NETWORKS[network]
    backbone = dict(backbone, padding=padding, width=width)
    channels = MODELS.build(backbone).feature_maps[-1].channels
    if neck is not None:
        neck = dict(neck, type="FCConvNeck", in_channels=channels, channels=FC_CHANNELS)
    head = dict(type="FCN32sHead", num_classes=3)
    model = MODELS.build(
        dict(type="DenseEncoderDecoder", backbone=backbone, neck=neck, decode_head=head, test_cfg=test_cfg)
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                scale = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim == 4 else 0.1
                parameter.normal_(0, scale, generator=generator)
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                module.weight.uniform_(0.5, 2, generator=generator)
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
    return model.double().eval()


def random_image(height: int, width: int, number: int = 1) -> torch.Tensor:
    """Images (number, 3, height, width), float64."""
    return 3 * torch.randn(number, 3, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
