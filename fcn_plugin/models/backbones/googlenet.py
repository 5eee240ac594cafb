"""GoogLeNet, cut before the classifier's average pooling and padded as in the reference FCN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..layers import ResponseNorm
from .padded_backbone import PaddedBackbone


class InceptionSpec(NamedTuple):
    """Channels of the convolutions of an inception module, in the reference's order."""

    conv1: int
    reduce3: int
    conv3: int
    reduce5: int
    conv5: int
    pool_proj: int

    @property
    def out_channels(self) -> int:
        """Channels of the four branches together."""
        return self.conv1 + self.conv3 + self.conv5 + self.pool_proj


class Inception(nn.Module):
    """Four branches side by side: convolutions of 1x1, 3x3 and 5x5, and a pooling; the 1x1 before them save compute.

    The convolutions have the reference's names: ``1x1``, ``3x3_reduce``, ``3x3``, ``5x5_reduce``, ``5x5`` and
    ``pool_proj``.

    Args:
        in_channels (int): channels of the input.
        spec (InceptionSpec): channels of the convolutions.

    Shapes: (N, in_channels, h, w) -> (N, spec.out_channels, h, w).
    """

    def __init__(self, in_channels: int, spec: InceptionSpec) -> None:
        super().__init__()
        self.add_module("1x1", nn.Conv2d(in_channels, spec.conv1, 1))
        self.add_module("3x3_reduce", nn.Conv2d(in_channels, spec.reduce3, 1))
        self.add_module("3x3", nn.Conv2d(spec.reduce3, spec.conv3, 3, padding=1))
        self.add_module("5x5_reduce", nn.Conv2d(in_channels, spec.reduce5, 1))
        self.add_module("5x5", nn.Conv2d(spec.reduce5, spec.conv5, 5, padding=2))
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.pool_proj = nn.Conv2d(in_channels, spec.pool_proj, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the branches and concatenate their channels."""
        branches = (["1x1"], ["3x3_reduce", "3x3"], ["5x5_reduce", "5x5"], ["pool", "pool_proj"])
        return torch.cat([self._branch(x, names) for names in branches], dim=1)

    def _branch(self, x: Tensor, names: Sequence[str]) -> Tensor:
        for name in names:
            x = getattr(self, name)(x)
            if name != "pool":
                x = self.relu(x)
        return x


@MODELS.register_module()
class GoogLeNet(PaddedBackbone):
    """The GoogLeNet of 2014 as in Caffe: no BatchNorm, ceil-mode pooling, and no auxiliary classifiers.

    Scores go directly on inception_5b: the FCN paper leaves out the classifier's average pooling, and there is no fc6.
    Parameters carry the reference's layer names, whose slash is a dot inside an inception module and an underscore
    elsewhere: ``conv1_7x7_s2``, ``conv2_3x3_reduce``, ``inception_3a.5x5_reduce``. Loading a checkpoint into the bare
    backbone, as ``init_cfg=dict(type='Pretrained', ...)`` does, fails if it does not hold all of its weights.

    Args:
        padding (int): padding of the first convolution, >= 0. From 18 on, there are scores of any image; 100 is the
            reference's for its other networks. With 3, the classifier's own, images need 31 pixels or more, and those
            of usual size about half the compute.
        in_channels (int): channels of the input image.
        width (float): multiplier of all channel numbers, for small tests.
        dropout_ratio (float): elementwise dropout of inception_5b while training. The paper keeps dropout wherever the
            classifier has it, here before its scores.
        out_indices (Sequence[int]): maps to return: 0 to 3 for pool1 to pool4 (pool1 before its normalisation), with
            strides 4, 8, 16 and 32, and 4 for inception_5b, with stride 32.
        frozen_stages (int): number of stages, each up to one of these maps, that are not trained (-1 or 0: none).
        with_cp (bool | Sequence[int]): trade compute for memory by activation checkpointing: of all stages, or of those
            of these numbers.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=...)`` for ImageNet weights; by default
            Kaiming initialisation.

    Shapes: (N, in_channels, H, W) -> maps of 64, 192, 480, 832, 1024 channels (times width). With padding p, the first
    convolution has ``floor((H + 2 * p - 7) / 2) + 1`` rows, and each pooling makes ``ceil((rows - 3) / 2) + 1`` of
    them.

    Source: Szegedy et al., "Going Deeper with Convolutions", 2015; Caffe's ``bvlc_googlenet/train_val.prototxt``;
    section 4.1 of the FCN paper, which has no public release of its FCN-GoogLeNet. Of the receptive field of 907 pixels
    in its table 1, 192 come from the average pooling that is left out; the field of inception_5b has 715.
    """

    #: Layers in the order in which they run; each stage ends with a map that can be returned.
    stages = (
        ("conv1_7x7_s2", "relu", "pool"),
        ("norm", "conv2_3x3_reduce", "relu", "conv2_3x3", "relu", "norm", "pool"),
        ("inception_3a", "inception_3b", "pool"),
        ("inception_4a", "inception_4b", "inception_4c", "inception_4d", "inception_4e", "pool"),
        ("inception_5a", "inception_5b", "dropout"),
    )
    inceptions = dict(
        inception_3a=InceptionSpec(64, 96, 128, 16, 32, 32),
        inception_3b=InceptionSpec(128, 128, 192, 32, 96, 64),
        inception_4a=InceptionSpec(192, 96, 208, 16, 48, 64),
        inception_4b=InceptionSpec(160, 112, 224, 24, 64, 64),
        inception_4c=InceptionSpec(128, 128, 256, 24, 64, 64),
        inception_4d=InceptionSpec(112, 144, 288, 32, 64, 64),
        inception_4e=InceptionSpec(256, 160, 320, 32, 128, 128),
        inception_5a=InceptionSpec(256, 160, 320, 32, 128, 128),
        inception_5b=InceptionSpec(384, 192, 384, 48, 128, 128),
    )

    map_names = ("pool1", "pool2", "pool3", "pool4", "inception_5b")

    def __init__(
        self,
        padding: int = 100,
        in_channels: int = 3,
        width: float = 1.0,
        dropout_ratio: float = 0.4,
        out_indices: Sequence[int] = (4,),
        frozen_stages: int = -1,
        with_cp: bool | Sequence[int] = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(padding, width, out_indices, frozen_stages, with_cp, init_cfg)
        reduced, channels = (max(1, round(planes * width)) for planes in (64, 192))
        convs = dict(
            conv1_7x7_s2=nn.Conv2d(in_channels, reduced, 7, stride=2, padding=padding),
            conv2_3x3_reduce=nn.Conv2d(reduced, reduced, 1),
            conv2_3x3=nn.Conv2d(reduced, channels, 3, padding=1),
        )
        others = dict(
            relu=nn.ReLU(inplace=True),
            pool=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            norm=ResponseNorm(),
            dropout=nn.Dropout(dropout_ratio),
        )
        stage_channels = [reduced, channels]
        for names in self.stages:
            for name in names:
                if name in self.inceptions:
                    spec = InceptionSpec(*(max(1, round(planes * width)) for planes in self.inceptions[name]))
                    layer = Inception(channels, spec)
                    self.add_layer(name, layer, window=getattr(layer, "5x5"))
                    channels = spec.out_channels
                else:
                    self.add_layer(name, convs[name] if name in convs else others[name])
            number = len(self.freezable)
            self.end_stage(stage_channels[number] if number < 2 else channels)
            self.freezable.append([name for name in names if name in convs or name in self.inceptions])
        self.finish()

    def run_stage(self, number: int, x: Tensor) -> Tensor:
        """The layers of a stage, one after the other."""
        for name in self.stages[number - 1]:
            x = getattr(self, name)(x)
        return x
