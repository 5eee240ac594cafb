"""GoogLeNet, cut before the classifier's average pooling and padded as in the reference FCN."""

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
class GoogLeNet(BaseModule):
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
        with_cp (bool): trade compute for memory by activation checkpointing, stage by stage.
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

    def __init__(
        self,
        padding: int = 100,
        in_channels: int = 3,
        width: float = 1.0,
        dropout_ratio: float = 0.4,
        out_indices: Sequence[int] = (4,),
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type="Kaiming", layer="Conv2d"))
        self.coord_maps_out = self.coord_maps(padding, out_indices)
        if width <= 0:
            raise ValueError(f"width must be positive, got {width}")
        if not -1 <= frozen_stages <= len(self.stages):
            raise ValueError(f"frozen_stages must be -1 to {len(self.stages)}, got {frozen_stages}")
        self.padding, self.out_indices = padding, tuple(out_indices)
        self.frozen_stages, self.with_cp = frozen_stages, with_cp

        reduced, channels = (max(1, round(planes * width)) for planes in (64, 192))
        self.conv1_7x7_s2 = nn.Conv2d(in_channels, reduced, 7, stride=2, padding=padding)
        self.conv2_3x3_reduce = nn.Conv2d(reduced, reduced, 1)
        self.conv2_3x3 = nn.Conv2d(reduced, channels, 3, padding=1)
        stage_channels = [reduced, channels]
        for names in self.stages[2:]:
            for name in names[:-1]:
                spec = InceptionSpec(*(max(1, round(planes * width)) for planes in self.inceptions[name]))
                self.add_module(name, Inception(channels, spec))
                channels = spec.out_channels
            stage_channels.append(channels)
        self.out_channels = tuple(stage_channels[i] for i in self.out_indices)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.norm = ResponseNorm()
        self.dropout = nn.Dropout(dropout_ratio)

        self.register_load_state_dict_pre_hook(load_part("backbone"))
        self.to(memory_format=torch.channels_last)  # the fastest for convolutions; activations follow the weights
        self._freeze_stages()

    @classmethod
    def coord_maps(cls, padding: int = 100, out_indices: Sequence[int] = (4,), **_) -> tuple[CoordMap, ...]:
        """Where the cells of the returned maps lie in the image; takes the constructor's arguments.

        Raises:
            ValueError: for a negative padding or an output that does not exist.
        """
        if not isinstance(padding, int) or padding < 0:
            raise ValueError(f"padding of the first convolution must be an integer >= 0, got {padding!r}")
        if not out_indices or any(i not in range(len(cls.stages)) for i in out_indices):
            raise ValueError(f"out_indices must name 0 (pool1) to 3 (pool4) or 4 (inception_5b), got {out_indices}")
        # kernel, stride, padding; the 5x5 branch of an inception module sees the most
        layers = dict(conv1_7x7_s2=(7, 2, padding), conv2_3x3=(3, 1, 1), pool=(3, 2, 0))
        layers |= dict.fromkeys(cls.inceptions, (5, 1, 2))
        current, maps = IMAGE, []
        for names in cls.stages:
            for name in names:
                if name in layers:
                    current = current.conv(*layers[name])
            maps.append(current)
        return tuple(maps[i] for i in out_indices)

    @property
    def least_size(self) -> int:
        """Height and width that an image needs, in pixels, for one cell of the last map."""
        cells = 1
        for names in self.stages:
            if "pool" in names:
                # in ceil mode the last window may stand out of the map, if it starts inside
                cells = self.pool.stride * (cells - 2) + self.pool.kernel_size + 1
        conv = self.conv1_7x7_s2
        return max(1, conv.stride[0] * (cells - 1) + conv.kernel_size[0] - 2 * conv.padding[0])

    def forward(self, x: Tensor) -> ImageFeatures:
        """Compute the maps of ``out_indices``, finest first.

        Args:
            x (Tensor): images (N, in_channels, H, W).

        Raises:
            ValueError: if the image is too small for this padding to leave anything of the last map.
        """
        image_size = tuple(x.shape[2:])
        if min(image_size) < self.least_size:
            raise ValueError(
                f"GoogLeNet with padding={self.padding} needs images of {self.least_size} pixels or more,"
                f" got {image_size}: use a larger padding or larger images"
            )
        maps = []
        for names in self.stages:
            if self.with_cp and self.training:
                x = checkpoint(self._stage, x, names, use_reentrant=False)
            else:
                x = self._stage(x, names)
            maps.append(x)
        return ImageFeatures([maps[i] for i in self.out_indices], image_size, self.coord_maps_out)

    def _stage(self, x: Tensor, names: Sequence[str]) -> Tensor:
        for name in names:
            x = getattr(self, name)(x)
        return x

    def train(self, mode: bool = True) -> GoogLeNet:
        """Set the mode; frozen layers stay in eval mode."""
        super().train(mode)
        self._freeze_stages()
        return self

    def _freeze_stages(self) -> None:
        for names in self.stages[: max(0, self.frozen_stages)]:
            for name in names:
                if name.startswith(("conv", "inception")):
                    getattr(self, name).eval().requires_grad_(False)
