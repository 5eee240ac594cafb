"""Narrow ImageNet classifiers, as imported checkpoints, and an image for them."""

from __future__ import annotations

import numpy as np
import torch

from fcn_plugin.models.backbones import FCNVGG, CaffeNet
from fcn_plugin.models.necks import FCConvNeck
from fcn_plugin.weights.preprocessing import CAFFE

WIDTH, FC, CLASSES = 1 / 16, 7, 5
#: Backbone, its arguments, and the side of fc6.
NETWORKS = {
    "vgg11": (FCNVGG, dict(depth=11), 7),
    "vgg13_bn": (FCNVGG, dict(depth=13, norm_cfg=dict(type="BN")), 7),
    "vgg16": (FCNVGG, dict(depth=16), 7),
    "caffenet": (CaffeNet, dict(), 6),
}


def classifier(architecture: str = "vgg16", preprocessing: dict = CAFFE) -> dict:
    """A classifier with random weights."""
    backbone_class, settings, kernel = NETWORKS[architecture]
    backbone = backbone_class(width=WIDTH, **settings)
    channels = backbone.feature_maps[-1].channels
    parts = dict(backbone=backbone, neck=FCConvNeck(channels, FC, kernel))
    state_dict = {f"{part}.{key}": value for part, net in parts.items() for key, value in net.state_dict().items()}
    state_dict |= {"fc8.weight": torch.empty(CLASSES, FC, 1, 1), "fc8.bias": torch.empty(CLASSES)}
    generator = torch.Generator().manual_seed(0)
    for value in state_dict.values():
        if value.ndim == 4:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif value.ndim == 1:  # biases, and BatchNorm's scales and variances
            value.uniform_(0.1, 0.3, generator=generator)
    return dict(state_dict=state_dict, meta=dict(architecture=architecture, preprocessing=dict(preprocessing)))


def picture(height: int, width: int) -> np.ndarray:
    """Noise, BGR, uint8."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator).numpy()


def sees_blue_and_green(architecture: str = "vgg16") -> dict:
    """A classifier whose classes 1 and 2 score the blue and the green in the middle of their receptive field."""
    checkpoint = classifier(architecture, dict(bgr_to_rgb=False, mean=[0.0] * 3, std=[1.0] * 3))
    for key, value in checkpoint["state_dict"].items():
        value.zero_()
        if value.ndim == 4 and key.startswith("backbone"):
            value[:2, :2] = torch.eye(2)[..., None, None] / value[0, 0].numel()
        elif "fc6" in key and value.ndim == 4:
            middle = slice((value.shape[3] - 1) // 2, value.shape[3] // 2 + 1)
            value[:2, :2, middle, middle] = torch.eye(2)[..., None, None]
        elif "fc7" in key and value.ndim == 4:
            value[:2, :2] = torch.eye(2)[..., None, None]
        elif key == "fc8.weight":
            value[1, 0] = value[2, 1] = 1
    return checkpoint
