"""Staged skip fusion: the heads of FCN-32s, FCN-16s and FCN-8s."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from ...geometry.backbones import trunk_maps
from ...geometry.coord_map import CoordMap
from ...geometry.skip_steps import UpsampleStep, skip_steps
from ...structures.image_features import ImageFeatures
from ..layers import BilinearUpsample


@MODELS.register_module()
class FCNSkipHead(BaseDecodeHead):
    """Score each feature map with a 1x1 convolution, upsample and add from coarse to fine, upsample to the image.

    All crops and kernel sizes follow from where the feature maps lie (``geometry``). Scores are computed in float32,
    outside autocast. Layers carry the reference's names: ``score_fr``, ``upscore2``, ``score_pool4``,
    ``upscore_pool4``, ``score_pool3``, and ``upscore``, ``upscore16`` or ``upscore8`` last.

    Args:
        in_channels (Sequence[int]): channels of the feature maps used, fine to coarse.
        geometry (dict | Sequence[dict]): where the maps handed to the head lie. Either the configs of the trunk,
            ``dict(backbone=dict(type='FCNVGG', ...), neck=dict(type='FCConvNeck', ...))``, the same as the model's; or
            for each used map, fine to coarse, ``dict(stride=..., offset=...)`` in pixels (see :mod:`geometry`).
            :class:`AlignedEncoderDecoder` fills it in; otherwise, it defaults to the reference VGG16 with padding=100.
        num_classes (int): number of classes.
        in_index (Sequence[int], optional): which of the maps to use, fine to coarse. Defaults to the last ones.
        skip_scales (Sequence[float], optional): constants on the skips, fine to coarse, such as (1e-4, 1e-2) for
            training at once. Defaults to 1.
        learnable_upsampling (bool): train the upsampling between the fusions. Defaults to False, fixed bilinear.
        learnable_last_upsampling (bool): train the last upsampling as well. Defaults to False.
        border (str): what the scores are beyond the edge of their maps: 'zeros', to which they fade within a cell, as
            in the reference; or 'replicate', the scores at the edge. A map of a ResNet has its last cell up to a
            stride before the image's end, where zeros leave little of its scores. Defaults to 'zeros'.
        **kwargs: ``loss_decode`` (any loss of the toolbox; by default :class:`PixelCrossEntropyLoss`),
            ``ignore_index``, ``sampler``, ``out_channels``, ``threshold``, ``align_corners`` and ``init_cfg`` of
            :class:`mmseg.models.decode_heads.decode_head.BaseDecodeHead`.

    Shapes: maps (N, C_i, h_i, w_i) of an image (N, 3, H, W) -> logits (N, num_classes, H, W), exactly.

    Raises:
        ValueError: when built, if the maps do not fit the arguments, cannot be aligned, or do not reach the image, or
            if a loss has weights for another number of classes.

    Source: section 4 of the FCN paper; reference files ``voc-fcn{32s,16s,8s,8s-atonce}/net.py``.
    """

    #: Number of feature maps that a subclass fuses; None for any.
    num_maps: int | None = None

    def __init__(
        self,
        in_channels: Sequence[int],
        geometry: dict | Sequence[dict] | None = None,
        *,
        num_classes: int,
        in_index: Sequence[int] | None = None,
        skip_scales: Sequence[float] | None = None,
        learnable_upsampling: bool = False,
        learnable_last_upsampling: bool = False,
        border: str = "zeros",
        **kwargs,
    ) -> None:
        in_channels = [in_channels] if isinstance(in_channels, int) else list(in_channels)
        in_index = self.used_maps(in_channels, in_index)
        skip_scales = [1.0] * (len(in_channels) - 1) if skip_scales is None else list(skip_scales)
        if self.num_maps not in (None, len(in_channels)):
            raise ValueError(
                f"{type(self).__name__} fuses {self.num_maps} feature map(s), got in_channels={in_channels}"
            )
        if len(in_index) != len(in_channels) or len(skip_scales) != len(in_channels) - 1:
            raise ValueError(
                f"in_channels={in_channels} needs as many in_index, got {in_index}, and one skip scale fewer,"
                f" got {skip_scales}"
            )
        if border not in ("zeros", "replicate"):
            raise ValueError(f"border must be 'zeros' or 'replicate', got {border!r}")
        for name in ("input_transform", "dropout_ratio", "channels", "conv_cfg", "norm_cfg", "act_cfg"):
            if name in kwargs:
                raise TypeError(f"{type(self).__name__} has no {name}: its only layers are scores and upsampling")
        super().__init__(
            in_channels,
            channels=1,
            num_classes=num_classes,
            in_index=in_index,
            input_transform="multiple_select",
            dropout_ratio=0,
            **{"loss_decode": dict(type="PixelCrossEntropyLoss"), "init_cfg": None, **kwargs},
        )
        del self.conv_seg  # the base class always builds it; an unused parameter breaks distributed training
        self._check_class_weights()

        self.feature_maps = self.maps_of(geometry, in_index)
        self.steps = skip_steps(self.feature_maps)
        self.skip_scales = skip_scales
        self.border = border
        self.score_names, self.upscore_names = self.layer_names(self.feature_maps)

        for name, channels in zip(self.score_names, reversed(in_channels)):
            score = nn.Conv2d(channels, self.out_channels, 1)
            nn.init.zeros_(score.weight)
            nn.init.zeros_(score.bias)
            self.add_module(name, score)
        for name, step in zip(self.upscore_names, self.steps):
            learnable = learnable_last_upsampling if step is self.steps[-1] else learnable_upsampling
            self.add_module(name, BilinearUpsample(self.out_channels, step.kernel, step.factor, learnable))

    def _check_class_weights(self) -> None:
        """Refuse losses that weigh another number of classes; the losses themselves do not know it."""
        for loss in self.loss_decode if isinstance(self.loss_decode, nn.ModuleList) else [self.loss_decode]:
            weights = getattr(loss, "class_weight", None)
            if weights is not None and len(weights) not in (self.num_classes, self.out_channels):
                raise ValueError(
                    f"class_weight of {type(loss).__name__} must list one weight for each of {self.num_classes}"
                    f" classes, got {len(weights)}: {list(weights)}"
                )

    @staticmethod
    def used_maps(in_channels: int | Sequence[int], in_index: Sequence[int] | None = None) -> list[int]:
        """The maps that a head of these arguments uses: ``in_index``, by default the last ones."""
        count = 1 if isinstance(in_channels, int) else len(in_channels)
        return list(range(-count, 0) if in_index is None else in_index)

    @staticmethod
    def maps_of(geometry: dict | Sequence[dict] | None, in_index: Sequence[int]) -> tuple[CoordMap, ...]:
        """The maps at ``in_index``, fine to coarse, from either form of the ``geometry`` argument.

        Raises:
            ValueError: if the geometry does not tell them.
        """
        if geometry is None:
            geometry = dict(backbone=dict(type="FCNVGG"), neck=dict(type="FCConvNeck"))
        if not isinstance(geometry, dict):
            if len(geometry) != len(in_index):
                raise ValueError(f"geometry lists {len(geometry)} map(s) for {len(in_index)} in in_index={in_index}")
            return tuple(CoordMap(**entry) for entry in geometry)
        if not geometry.get("backbone"):
            raise ValueError("geometry needs a backbone config, got " + repr(geometry))
        maps = trunk_maps(geometry["backbone"], geometry.get("neck"))
        try:
            return tuple(maps[i] for i in in_index)
        except IndexError:
            raise ValueError(f"in_index={in_index} reaches beyond the {len(maps)} maps of the trunk") from None

    @staticmethod
    def layer_names(feature_maps: Sequence[CoordMap]) -> tuple[list[str], list[str]]:
        """Names of the score and the upsampling layers, in the order of their use (coarse to fine)."""
        *skips, coarsest = (int(m.stride) for m in feature_maps)
        levels = [f"pool{stride.bit_length() - 1}" for stride in reversed(skips)]
        scores = ["score_fr", *(f"score_{level}" for level in levels)]
        if not levels:
            return scores, ["upscore"]
        return scores, ["upscore2", *(f"upscore_{level}" for level in levels[:-1]), f"upscore{skips[0]}"]

    def earlier_stage_difference(self) -> tuple[set[str], set[str]]:
        """Which keys the checkpoint of the stage before this one lacks, and which it has in addition.

        Returns:
            tuple[set[str], set[str]]: keys relative to the head; both empty for a head without skips.
        """
        if len(self.feature_maps) == 1:
            return set(), set()
        own = {f"{name}." for names in (self.score_names, self.upscore_names) for name in names}
        earlier = {f"{name}." for names in self.layer_names(self.feature_maps[1:]) for name in names}
        missing = {key for key in self.state_dict() if key.startswith(tuple(own - earlier))}
        return missing, {f"{name}weight" for name in earlier - own}

    def forward(self, inputs: ImageFeatures) -> Tensor:
        """Compute the logits at every pixel of the image.

        Args:
            inputs (ImageFeatures): feature maps, fine to coarse.

        Returns:
            Tensor: float32 logits (N, num_classes, H, W).
        """
        features = self._check_inputs(inputs)
        height, width = inputs.image_size
        with torch.autocast(features[-1].device.type, enabled=False):
            score = getattr(self, self.score_names[0])(self._at_least_float32(features.pop()))
            scales = list(self.skip_scales)
            for step, score_name, upscore_name in zip(self.steps, self.score_names[1:], self.upscore_names):
                skip, scale = self._at_least_float32(features.pop()), scales.pop()
                skip = getattr(self, score_name)(skip if scale == 1 else skip * scale)
                skip = skip[:, :, step.crop_target :, step.crop_target :]
                score = self._sum(self._upsampled(score, upscore_name, step), skip)
            logits = self._upsampled(score, self.upscore_names[-1], self.steps[-1])[:, :, :height, :width]
        if logits.shape[2:] != (height, width):
            raise ValueError(
                f"the scores end at {tuple(logits.shape[2:])} of an image of {(height, width)} pixels, as the trunk"
                f" rounds sizes down: set size_divisor={self.feature_maps[-1].stride} of the AlignedEncoderDecoder, or"
                " pad the images to multiples of it"
            )
        return logits.contiguous()

    @staticmethod
    def _at_least_float32(features: Tensor) -> Tensor:
        return features.to(torch.promote_types(features.dtype, torch.float32))

    def _upsampled(self, score: Tensor, name: str, step: UpsampleStep) -> Tensor:
        """Upsample scores by the layer of that name; they then start with the target, or where they start later."""
        start = step.crop_upsampled
        if self.border == "replicate":
            score = functional.pad(score, (1, 1, 1, 1), mode="replicate")
            start += step.factor
        return getattr(self, name)(score)[:, :, start:, start:]

    @staticmethod
    def _sum(one: Tensor, other: Tensor) -> Tensor:
        """Add two score maps where they overlap."""
        height, width = (min(a, b) for a, b in zip(one.shape[2:], other.shape[2:]))
        return one[:, :, :height, :width] + other[:, :, :height, :width]

    def _check_inputs(self, inputs: ImageFeatures) -> list[Tensor]:
        """Select the maps of ``in_index``; refuse features from another trunk than the head was built for."""
        if not isinstance(inputs, ImageFeatures):
            raise TypeError(
                f"{type(self).__name__} needs the image's size and the maps' positions, which {type(inputs).__name__}"
                " does not carry: set model.type='AlignedEncoderDecoder', or return ImageFeatures from the backbone"
            )
        found = tuple(inputs.coord_maps[i] for i in self.in_index)
        if found != self.feature_maps:
            expected = ", ".join(map(str, self.feature_maps))
            raise ValueError(
                f"{type(self).__name__} was built for feature maps at {expected}, but the trunk gives"
                f" {', '.join(map(str, found))}: set decode_head.geometry to the configs of the backbone and the neck"
            )
        features = self._transform_inputs(inputs)
        channels = [one.shape[1] for one in features]
        if channels != self.in_channels:
            raise ValueError(
                f"{type(self).__name__} was built for maps of {self.in_channels} channels, but the trunk gives"
                f" {channels}: set decode_head.in_channels={channels}"
            )
        return features


@MODELS.register_module()
class FCN32sHead(FCNSkipHead):
    """FCN-32s: scores of the last map, upsampled to the image."""

    num_maps = 1


@MODELS.register_module()
class FCN16sHead(FCNSkipHead):
    """FCN-16s: FCN-32s with a skip from pool4."""

    num_maps = 2


@MODELS.register_module()
class FCN8sHead(FCNSkipHead):
    """FCN-8s: FCN-16s with a skip from pool3."""

    num_maps = 3
