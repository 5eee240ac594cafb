"""The VGG networks, cut after pool5 and padded as in the reference FCN."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from mmcv.cnn import build_norm_layer
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from mmseg.registry import MODELS
from torch import Tensor, nn

from ...utils.torch_versions import is_compiling
from ..layers.conv2d import Conv2d
from .padded_backbone import PaddedBackbone
from .padding_reuse import PaddedMap
from .recomputation import recomputed


@MODELS.register_module()
class FCNVGG(PaddedBackbone):
    """VGG 11/13/16/19 with the reference FCN's padding of the first convolution and ceil-mode pooling.

    Parameters carry the reference's layer names (``conv1_1`` ... ``conv5_3``, with BatchNorm ``bn1_1`` ...).
    torchvision's and mmpretrain's ``features.N`` are renamed on loading; loading a checkpoint into the bare backbone,
    as ``init_cfg=dict(type='Pretrained', ...)`` does, fails if it does not hold all of its weights.

    Args:
        depth (int): 11, 13, 16 or 19 (configurations A, B, D and E of the VGG paper).
        padding (int): padding of conv1_1, >= 0. 100 lets a valid fc6 see any image, as in the reference.
        in_channels (int): channels of the input image.
        width (float): multiplier of all channel numbers, for small tests and demos.
        norm_cfg (dict, optional): e.g. ``dict(type='BN')``; None for the plain network.
        out_indices (Sequence[int]): poolings to return, 0 for pool1 to 4 for pool5.
        frozen_stages (int): number of stages, from conv1_x on, that are not trained (-1 or 0: none).
        norm_eval (bool): keep norm layers in eval mode while training.
        with_cp (bool | Sequence[int]): trade compute for memory by activation checkpointing: all stages, or those of
            these numbers, such as ``(1, 2)``, whose maps are the largest. Defaults to False.
        reuse_padding (bool): compute what the maps are beyond the reach of the image once, on a small map (see
            :mod:`.padding_reuse`). It changes nothing but the time, and rounding. Defaults to True.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=...)`` for ImageNet weights; by default
            Kaiming initialisation.

    Shapes: (N, in_channels, H, W) -> maps of 64, 128, 256, 512, 512 channels (times width) at strides 2 ... 32.
    With padding p, pool k has ``ceil((... ceil((H + 2 * p - 2) / 2) ...) / 2)`` rows after k halvings.

    Source: Simonyan, Zisserman, "Very Deep Convolutional Networks", 2015; reference file ``voc-fcn32s/net.py``.
    """

    #: Convolutions in each of the five stages.
    arch_settings = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
    stage_channels = (64, 128, 256, 512, 512)

    map_names = ("pool1", "pool2", "pool3", "pool4", "pool5")

    def __init__(
        self,
        depth: int = 16,
        padding: int = 100,
        in_channels: int = 3,
        width: float = 1.0,
        norm_cfg: dict | None = None,
        out_indices: Sequence[int] = (2, 3, 4),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool | Sequence[int] = False,
        reuse_padding: bool = True,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if init_cfg is None:
            init_cfg = [
                dict(type="Kaiming", layer="Conv2d"),
                dict(type="Constant", val=1, layer=["_BatchNorm", "GroupNorm"]),
            ]
        super().__init__(padding, width, out_indices, frozen_stages, with_cp, init_cfg)
        if depth not in self.arch_settings:
            raise ValueError(f"FCNVGG comes in depths {sorted(self.arch_settings)}, got {depth}")
        self.norm_eval, self.reuse_padding, self.with_norm = norm_eval, reuse_padding, norm_cfg is not None
        self.stages: list[list[str]] = []
        channels = in_channels
        for stage, num_convs in enumerate(self.arch_settings[depth], start=1):
            planes = max(1, round(self.stage_channels[stage - 1] * width))
            names = [f"{stage}_{i}" for i in range(1, num_convs + 1)]
            for name in names:
                self.add_layer(f"conv{name}", Conv2d(channels, planes, 3, padding=padding if name == "1_1" else 1))
                if self.with_norm:
                    self.add_layer(f"bn{name}", build_norm_layer(norm_cfg, planes)[1])
                channels = planes
            self.add_layer("pool", nn.MaxPool2d(2, stride=2, ceil_mode=True))
            self.end_stage(channels)
            self.stages.append(names)
            kinds = ("conv", "bn") if self.with_norm else ("conv",)
            self.freezable.append([f"{kind}{name}" for name in names for kind in kinds])
        self.relu = nn.ReLU(inplace=True)
        self.finish()

    @property
    def conv_names(self) -> list[str]:
        """Names of the convolutions in the order of the network."""
        return [f"conv{name}" for names in self.stages for name in names]

    def run_stages(self, x: Tensor) -> list[Tensor]:
        """The maps of all stages; what lies beyond the reach of the image is computed once."""
        padded = PaddedMap.of_images(x, self.padding - 1) if self._reuses_padding() else None
        maps = []
        for number, names in enumerate(self.stages, start=1):
            padded = padded and padded.behind(partial(self.run_stage, number), reach=len(names))
            x = padded.full if padded else self.run_stage(number, x)
            maps.append(x)
        return maps

    def run_stage(self, number: int, x: Tensor, padding: int | None = None) -> Tensor:
        """One stage; its convolutions pad by their own padding, unless another is given."""

        def convolutions(x: Tensor) -> Tensor:
            for name in self.stages[number - 1]:
                x = getattr(self, f"conv{name}")(x, padding)
                if self.with_norm:
                    x = getattr(self, f"bn{name}")(x)
                x = self.relu(x)
            return x

        if not self.training:
            return self.pool(convolutions(x))
        if self.checkpoints(number):
            return recomputed(lambda x: self.pool(convolutions(x)), x, self, preserve_rng_state=False)
        # the places of the maxima, which take four times the memory of a pooled map in bfloat16, are found again
        return recomputed(self.pool, convolutions(x), self.pool, preserve_rng_state=False)

    def _reuses_padding(self) -> bool:
        """Whether it is possible: not for norms that see all cells of a map, nor for hooks and tracing, which do."""
        if not self.reuse_padding or self.padding < 2 or torch.jit.is_tracing() or is_compiling():
            return False
        if any(module._forward_hooks or module._forward_pre_hooks for module in self.children()):
            return False
        norms = [getattr(self, f"bn{name}") for names in self.stages for name in names] if self.with_norm else []
        return all(isinstance(norm, _BatchNorm) and not norm.training for norm in norms)

    def train(self, mode: bool = True) -> FCNVGG:
        """Set the mode; frozen stages and, with ``norm_eval``, all norm layers stay in eval mode."""
        super().train(mode)
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self
