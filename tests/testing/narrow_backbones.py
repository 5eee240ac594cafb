"""Narrow versions of the toolbox's backbones, for the tests of what works on any of them."""

from __future__ import annotations

from torch import Tensor, nn

HRNET = dict(
    stage1=dict(num_modules=1, num_branches=1, block="BOTTLENECK", num_blocks=(1,), num_channels=(2,)),
    stage2=dict(num_modules=1, num_branches=2, block="BASIC", num_blocks=(1, 1), num_channels=(2, 4)),
    stage3=dict(num_modules=1, num_branches=3, block="BASIC", num_blocks=(1, 1, 1), num_channels=(2, 4, 6)),
    stage4=dict(num_modules=1, num_branches=4, block="BASIC", num_blocks=(1, 1, 1, 1), num_channels=(2, 4, 6, 8)),
)
CONVNEXT = dict(depths=[1, 1, 1, 1], channels=[2, 4, 6, 8])

#: Configs of backbones that return three maps at strides 8, 16 and 32; HRNet, UNet and the ResNets return more.
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


class Silent(nn.Module):
    """Hands on nothing of what it is given, in any number of channels."""

    def forward(self, x: Tensor) -> Tensor:
        return 0 * x[:, :1]


def without_interpolated_paths(backbone: nn.Module) -> nn.Module:
    """Silence what HRNet interpolates, which lies on other pixels and is of no account for the position of a map."""
    for module in backbone.modules():
        for number, paths in enumerate(getattr(module, "fuse_layers", None) or ()):
            for other in range(number + 1, len(paths)):
                paths[other] = Silent()
    return backbone
