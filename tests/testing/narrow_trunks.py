"""Narrow versions of the toolbox's backbones, for the tests of what works on any of them."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fcn_plugin.models.layers import bilinear_kernel

HRNET = dict(
    stage1=dict(num_modules=1, num_branches=1, block="BOTTLENECK", num_blocks=(1,), num_channels=(2,)),
    stage2=dict(num_modules=1, num_branches=2, block="BASIC", num_blocks=(1, 1), num_channels=(2, 4)),
    stage3=dict(num_modules=1, num_branches=3, block="BASIC", num_blocks=(1, 1, 1), num_channels=(2, 4, 6)),
    stage4=dict(num_modules=1, num_branches=4, block="BASIC", num_blocks=(1, 1, 1, 1), num_channels=(2, 4, 6, 8)),
)
CONVNEXT = dict(depths=[1, 1, 1, 1], channels=[2, 4, 6, 8])

#: Configs of backbones that return three maps at strides 8, 16 and 32, or what ``HEADS`` says.
BACKBONES = {
    "resnet18-v1c": dict(type="ResNetV1c", depth=18, base_channels=4, stem_channels=4),
    "resnet50": dict(type="ResNet", depth=50, base_channels=1, stem_channels=2, style="caffe"),
    "resnext50": dict(type="ResNeXt", depth=50, base_channels=4, stem_channels=4, groups=2, base_width=4),
    "mobilenet-v2": dict(type="MobileNetV2", widen_factor=0.1, out_indices=(2, 4, 6)),
    "swin": dict(
        type="SwinTransformer",
        embed_dims=2,
        depths=(2, 1, 1, 1),
        num_heads=(1, 1, 1, 1),
        window_size=2,
        out_indices=(1, 2, 3),
    ),
    "hrnet": dict(type="HRNet", extra=HRNET),
    "unet": dict(type="UNet", base_channels=2),
    "fcnvgg-bn": dict(type="FCNVGG", width=0.05, padding=1, norm_cfg=dict(type="BN")),
    "convnext": dict(type="mmpretrain.ConvNeXt", arch=CONVNEXT, out_indices=[1, 2, 3], gap_before_final_norm=False),
}


class Passing(nn.Module):
    """Returns what it is given."""

    def forward(self, x: Tensor, *_, **__) -> Tensor:
        return x


def linear_copy(backbone: nn.Module) -> nn.Module:
    """Make a backbone linear: every cell becomes a weighted mean of pixels, none of the weights negative.

    Convolutions take means, poolings as well; transposed ones interpolate; norms and activations pass on what they get;
    and what has no position of its own is silent: attention and the layers beside it, and HRNet's interpolated paths.
    """
    backbone.eval()
    for module in backbone.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if isinstance(module, nn.ConvTranspose2d):
                module.weight.data[:] = bilinear_kernel(module.kernel_size[0])
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if hasattr(module, "gamma"):  # of ConvNeXt's blocks
            nn.init.zeros_(module.gamma)
        for name, child in list(module.named_children()):
            if isinstance(child, (_BatchNorm, nn.LayerNorm, nn.ReLU, nn.ReLU6, nn.GELU, nn.Dropout)):
                setattr(module, name, Passing())
            elif isinstance(child, nn.MaxPool2d):
                pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode, False)
                setattr(module, name, pool)
    for name, module in backbone.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            interpolated = "fuse_layers" in name and module.kernel_size == (1, 1)
            if {"attn", "ffn"} & set(name.split(".")) or interpolated:
                nn.init.zeros_(module.weight)
    return backbone.double()


def build_linear(cfg: dict) -> nn.Module:
    """A linear copy of the backbone of a config."""
    return linear_copy(MODELS.build(cfg))


def ramp(height: int, width: int, zero: float = 0.0) -> Tensor:
    """An image (1, 3, H, W) whose value is the horizontal distance from ``zero``, in pixels."""
    return (torch.arange(width, dtype=torch.float64) - zero).expand(1, 3, height, width)
