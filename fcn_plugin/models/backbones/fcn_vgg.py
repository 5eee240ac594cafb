"""The VGG networks, cut after pool5 and padded as in the reference FCN."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...geometry.coord_map import IMAGE, CoordMap
from ...structures.image_features import ImageFeatures
from ...weights.loading import load_part
from ..layers.conv2d import Conv2d
from .padding_reuse import PaddedMap


@MODELS.register_module()
class FCNVGG(BaseModule):
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
        super().__init__(init_cfg)
        self.coord_maps_out = self.coord_maps(depth, padding, out_indices)
        if width <= 0:
            raise ValueError(f"width must be positive, got {width}")
        if not -1 <= frozen_stages <= len(self.stage_channels):
            raise ValueError(f"frozen_stages must be -1 to {len(self.stage_channels)}, got {frozen_stages}")
        self.depth, self.padding, self.out_indices = depth, padding, tuple(out_indices)
        self.frozen_stages, self.norm_eval, self.reuse_padding = frozen_stages, norm_eval, reuse_padding
        stages = range(1, len(self.stage_channels) + 1)
        self.with_cp = with_cp if isinstance(with_cp, bool) else tuple(with_cp)
        if not isinstance(with_cp, bool) and not set(with_cp) <= set(stages):
            raise ValueError(f"with_cp must be True, False or numbers of stages from 1 to {len(stages)}, got {with_cp}")
        self.out_channels = tuple(max(1, round(self.stage_channels[i] * width)) for i in self.out_indices)

        self.stages: list[list[str]] = []
        channels = in_channels
        for stage, num_convs in enumerate(self.arch_settings[depth], start=1):
            planes = max(1, round(self.stage_channels[stage - 1] * width))
            names = [f"{stage}_{i}" for i in range(1, num_convs + 1)]
            for name in names:
                conv = Conv2d(channels, planes, 3, padding=padding if name == "1_1" else 1)
                self.add_module(f"conv{name}", conv)
                if norm_cfg is not None:
                    self.add_module(f"bn{name}", build_norm_layer(norm_cfg, planes)[1])
                channels = planes
            self.stages.append(names)
        self.with_norm = norm_cfg is not None
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2, stride=2, ceil_mode=True)

        self.register_load_state_dict_pre_hook(load_part("backbone"))
        self.to(memory_format=torch.channels_last)  # the fastest for convolutions; activations follow the weights
        self._freeze_stages()

    @classmethod
    def coord_maps(
        cls, depth: int = 16, padding: int = 100, out_indices: Sequence[int] = (2, 3, 4), **_
    ) -> tuple[CoordMap, ...]:
        """Where the cells of the returned maps lie in the image; takes the constructor's arguments.

        Raises:
            ValueError: for an unknown depth, a negative padding or an output that does not exist.
        """
        if depth not in cls.arch_settings:
            raise ValueError(f"FCNVGG comes in depths {sorted(cls.arch_settings)}, got {depth}")
        if not isinstance(padding, int) or padding < 0:
            raise ValueError(f"padding of the first convolution must be an integer >= 0, got {padding!r}")
        if not out_indices or any(i not in range(len(cls.stage_channels)) for i in out_indices):
            raise ValueError(f"out_indices must name poolings 0 (pool1) to 4 (pool5), got {out_indices}")
        current, pools = IMAGE, []
        for stage, num_convs in enumerate(cls.arch_settings[depth]):
            for conv in range(num_convs):
                current = current.conv(3, padding=padding if stage == conv == 0 else 1)
            current = current.conv(2, stride=2)
            pools.append(current)
        return tuple(pools[i] for i in out_indices)

    @property
    def conv_names(self) -> list[str]:
        """Names of the convolutions in the order of the network."""
        return [f"conv{name}" for names in self.stages for name in names]

    def forward(self, x: Tensor) -> ImageFeatures:
        """Compute the pooled maps of ``out_indices``, finest first.

        Args:
            x (Tensor): images (N, in_channels, H, W).

        Raises:
            ValueError: if the image is too small for this padding to leave anything after conv1_1.
        """
        image_size = tuple(x.shape[2:])
        if any(length + 2 * self.padding < 3 for length in image_size):
            raise ValueError(f"an image of {image_size} needs padding of at least 1 for a 3x3 convolution, got 0")
        surrounded = PaddedMap.of_images(x, self.padding - 1) if self._reuses_padding() else None
        pools = []
        for names in self.stages:
            stage = partial(self._stage, names=names)
            surrounded = surrounded and surrounded.behind(stage, reach=len(names))
            x = surrounded.full if surrounded else stage(x)
            pools.append(x)
        return ImageFeatures([pools[i] for i in self.out_indices], image_size, self.coord_maps_out)

    def _stage(self, x: Tensor, names: list[str], padding: int | None = None) -> Tensor:
        """One stage; its convolutions pad by their own padding, unless another is given."""
        if not self.training:
            return self.pool(self._convolutions(x, names, padding))
        recompute = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
        if self.with_cp is True or self.stages.index(names) + 1 in (self.with_cp or ()):
            return recompute(lambda x: self.pool(self._convolutions(x, names, padding)), x)
        # the places of the maxima, which take four times the memory of a pooled map in bfloat16, are found again
        return recompute(self.pool, self._convolutions(x, names, padding))

    def _convolutions(self, x: Tensor, names: list[str], padding: int | None) -> Tensor:
        for name in names:
            x = getattr(self, f"conv{name}")(x, padding)
            if self.with_norm:
                x = getattr(self, f"bn{name}")(x)
            x = self.relu(x)
        return x

    def _reuses_padding(self) -> bool:
        """Whether it is possible: not for norms that see all cells of a map, nor for hooks and tracing, which do."""
        if not self.reuse_padding or self.padding < 2 or torch.jit.is_tracing() or torch.compiler.is_compiling():
            return False
        if any(module._forward_hooks or module._forward_pre_hooks for module in self.children()):
            return False
        norms = [getattr(self, f"bn{name}") for names in self.stages for name in names] if self.with_norm else []
        return all(isinstance(norm, _BatchNorm) and not norm.training for norm in norms)

    def train(self, mode: bool = True) -> FCNVGG:
        """Set the mode; frozen stages and, with ``norm_eval``, all norm layers stay in eval mode."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze_stages(self) -> None:
        for names in self.stages[: max(0, self.frozen_stages)]:
            for name in names:
                for module in (getattr(self, f"conv{name}"), getattr(self, f"bn{name}", None)):
                    if module is not None:
                        module.eval()
                        module.requires_grad_(False)
