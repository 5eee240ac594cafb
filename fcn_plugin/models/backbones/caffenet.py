"""CaffeNet, the AlexNet of the reference FCN, cut after pool5 and padded as there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mmseg.registry import MODELS
from torch import Tensor, nn

from ..layers import ResponseNorm
from .padded_backbone import PaddedBackbone


class ConvSpec(NamedTuple):
    """Hyperparameters of a convolution; None as padding: the network's ``padding``."""

    channels: int
    kernel: int
    stride: int = 1
    padding: int | None = None
    groups: int = 1


@MODELS.register_module()
class CaffeNet(PaddedBackbone):
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
        with_cp (bool | Sequence[int]): trade compute for memory by activation checkpointing: of all stages, or of those
            of these numbers.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=...)`` for ImageNet weights; by default
            Kaiming initialisation.

    Shapes: (N, in_channels, H, W) -> maps of 96, 256, 256 channels (times width) at strides 8, 16, 32. With padding p,
    conv1 has ``floor((H + 2 * p - 11) / 4) + 1`` rows, and each pooling makes ``ceil((rows - 3) / 2) + 1`` of them.

    Source: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012;
    reference files ``voc-fcn-alexnet/net.py`` and Caffe's ``bvlc_reference_caffenet/train_val.prototxt``.
    """

    #: Convolutions of each stage.
    stages = (
        dict(conv1=ConvSpec(96, 11, stride=4)),
        dict(conv2=ConvSpec(256, 5, padding=2, groups=2)),
        dict(
            conv3=ConvSpec(384, 3, padding=1),
            conv4=ConvSpec(384, 3, padding=1, groups=2),
            conv5=ConvSpec(256, 3, padding=1, groups=2),
        ),
    )
    map_names = ("pool1", "pool2", "pool5")

    def __init__(
        self,
        padding: int = 100,
        in_channels: int = 3,
        width: float = 1.0,
        out_indices: Sequence[int] = (2,),
        frozen_stages: int = -1,
        with_cp: bool | Sequence[int] = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(padding, width, out_indices, frozen_stages, with_cp, init_cfg)
        channels = in_channels
        for convs in self.stages:
            for name, spec in convs.items():
                planes = 2 * max(1, round(spec.channels * width / 2))  # two groups divide it
                pad = padding if spec.padding is None else spec.padding
                self.add_layer(name, nn.Conv2d(channels, planes, spec.kernel, spec.stride, pad, groups=spec.groups))
                self.freezable.append([name])
                channels = planes
            self.add_layer("pool", nn.MaxPool2d(3, 2, ceil_mode=True))
            self.end_stage(channels)
        self.relu = nn.ReLU(inplace=True)
        self.norm = ResponseNorm()
        self.finish()

    def run_stage(self, number: int, x: Tensor) -> Tensor:
        """Normalise the map before, then convolutions and a pooling."""
        x = self.norm(x) if number > 1 else x
        for name in self.stages[number - 1]:
            x = self.relu(getattr(self, name)(x))
        return self.pool(x)
