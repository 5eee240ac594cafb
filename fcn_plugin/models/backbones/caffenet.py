"""CaffeNet, the AlexNet of the reference FCN, cut after pool5 and padded as there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...geometry.coord_map import IMAGE, CoordMap
from ...structures.image_features import ImageFeatures
from ...weights.loading import load_part
from ..layers import ResponseNorm


class ConvSpec(NamedTuple):
    """Hyperparameters of a convolution; None as padding: the network's ``padding``."""

    channels: int
    kernel: int
    stride: int = 1
    padding: int | None = None
    groups: int = 1


@MODELS.register_module()
class CaffeNet(BaseModule):
    """BVLC's reference CaffeNet: AlexNet in one column, with groups, and pooling before normalisation.

    Parameters carry the reference's layer names, ``conv1`` ... ``conv5``. Loading a checkpoint into the bare backbone,
    as ``init_cfg=dict(type='Pretrained', ...)`` does, fails if it does not hold all of its weights.

    Args:
        padding (int): padding of conv1, >= 0. 100 lets a valid fc6 see any image, as in the reference.
        in_channels (int): channels of the input image.
        width (float): multiplier of all channel numbers, rounded to an even number each, for small tests.
        out_indices (Sequence[int]): poolings to return, before their normalisation: 0 for pool1, 1 for pool2 and 2 for
            pool5. Their strides are 8, 16 and 32, after which a skip head names its layers: those on pool1 and pool2
            are score_pool3 and score_pool4.
        frozen_stages (int): number of convolutions, from conv1 on, that are not trained (-1 or 0: none).
        with_cp (bool): trade compute for memory by activation checkpointing, pooling by pooling.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=...)`` for ImageNet weights; by default
            Kaiming initialisation.

    Shapes: (N, in_channels, H, W) -> maps of 96, 256, 256 channels (times width) at strides 8, 16, 32. With padding p,
    conv1 has ``floor((H + 2 * p - 11) / 4) + 1`` rows, and each pooling makes ``ceil((rows - 3) / 2) + 1`` of them.

    Source: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012;
    reference files ``voc-fcn-alexnet/net.py`` and Caffe's ``bvlc_reference_caffenet/train_val.prototxt``.
    """

    #: Convolutions by the pooling behind them.
    stages = {
        "pool1": dict(conv1=ConvSpec(96, 11, stride=4)),
        "pool2": dict(conv2=ConvSpec(256, 5, padding=2, groups=2)),
        "pool5": dict(
            conv3=ConvSpec(384, 3, padding=1),
            conv4=ConvSpec(384, 3, padding=1, groups=2),
            conv5=ConvSpec(256, 3, padding=1, groups=2),
        ),
    }
    pool_kernel, pool_stride = 3, 2

    def __init__(
        self,
        padding: int = 100,
        in_channels: int = 3,
        width: float = 1.0,
        out_indices: Sequence[int] = (2,),
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type="Kaiming", layer="Conv2d"))
        self.coord_maps_out = self.coord_maps(padding, out_indices)
        if width <= 0:
            raise ValueError(f"width must be positive, got {width}")
        if not -1 <= frozen_stages <= len(self.conv_names):
            raise ValueError(f"frozen_stages must be -1 to {len(self.conv_names)}, got {frozen_stages}")
        self.padding, self.out_indices = padding, tuple(out_indices)
        self.frozen_stages, self.with_cp = frozen_stages, with_cp

        channels, pooled_channels = in_channels, []
        for convs in self.stages.values():
            for name, spec in convs.items():
                planes = 2 * max(1, round(spec.channels * width / 2))  # two groups divide it
                pad = padding if spec.padding is None else spec.padding
                self.add_module(
                    name, nn.Conv2d(channels, planes, spec.kernel, spec.stride, padding=pad, groups=spec.groups)
                )
                channels = planes
            pooled_channels.append(channels)
        self.out_channels = tuple(pooled_channels[i] for i in self.out_indices)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(self.pool_kernel, self.pool_stride, ceil_mode=True)
        self.norm = ResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)

        self.register_load_state_dict_pre_hook(load_part("backbone"))
        self.to(memory_format=torch.channels_last)  # the fastest for convolutions; activations follow the weights
        self._freeze_stages()

    @classmethod
    def coord_maps(cls, padding: int = 100, out_indices: Sequence[int] = (2,), **_) -> tuple[CoordMap, ...]:
        """Where the cells of the returned maps lie in the image; takes the constructor's arguments.

        Raises:
            ValueError: for a negative padding or an output that does not exist.
        """
        if not isinstance(padding, int) or padding < 0:
            raise ValueError(f"padding of the first convolution must be an integer >= 0, got {padding!r}")
        if not out_indices or any(i not in range(len(cls.stages)) for i in out_indices):
            raise ValueError(f"out_indices must name poolings 0 (pool1), 1 (pool2) or 2 (pool5), got {out_indices}")
        current, pools = IMAGE, []
        for convs in cls.stages.values():
            for spec in convs.values():
                current = current.conv(spec.kernel, spec.stride, padding if spec.padding is None else spec.padding)
            current = current.conv(cls.pool_kernel, cls.pool_stride)
            pools.append(current)
        return tuple(pools[i] for i in out_indices)

    @property
    def conv_names(self) -> list[str]:
        """Names of the convolutions in the order of the network."""
        return [name for convs in self.stages.values() for name in convs]

    @property
    def least_size(self) -> int:
        """Height and width that an image needs, in pixels, for one cell of pool5."""
        cells = 1
        for convs in reversed(self.stages.values()):
            # in ceil mode the last window may stand out of the map, if it starts inside
            cells = self.pool_stride * (cells - 2) + self.pool_kernel + 1
            for name in reversed(convs):
                conv = getattr(self, name)
                cells = conv.stride[0] * (cells - 1) + conv.kernel_size[0] - 2 * conv.padding[0]
        return max(1, cells)

    def forward(self, x: Tensor) -> ImageFeatures:
        """Compute the pooled maps of ``out_indices``, finest first.

        Args:
            x (Tensor): images (N, in_channels, H, W).

        Raises:
            ValueError: if the image is too small for this padding to leave anything of pool5.
        """
        image_size = tuple(x.shape[2:])
        if min(image_size) < self.least_size:
            raise ValueError(
                f"CaffeNet with padding={self.padding} needs images of {self.least_size} pixels or more,"
                f" got {image_size}: use a larger padding or larger images"
            )
        pools = []
        for convs in self.stages.values():
            if pools:
                x = self.norm(x)
            if self.with_cp and self.training:
                x = checkpoint(self._stage, x, convs, use_reentrant=False)
            else:
                x = self._stage(x, convs)
            pools.append(x)
        return ImageFeatures([pools[i] for i in self.out_indices], image_size, self.coord_maps_out)

    def _stage(self, x: Tensor, names: Sequence[str]) -> Tensor:
        for name in names:
            x = self.relu(getattr(self, name)(x))
        return self.pool(x)

    def train(self, mode: bool = True) -> CaffeNet:
        """Set the mode; frozen convolutions stay in eval mode."""
        super().train(mode)
        self._freeze_stages()
        return self

    def _freeze_stages(self) -> None:
        for name in self.conv_names[: max(0, self.frozen_stages)]:
            getattr(self, name).eval().requires_grad_(False)
