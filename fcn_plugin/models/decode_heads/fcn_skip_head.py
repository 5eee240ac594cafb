"""Staged skip fusion: the heads of FCN-32s, FCN-16s and FCN-8s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import torch
from mmengine.logging import print_log
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor
from torch.nn import functional

from ...geometry import CoordMap, FeatureMap, UnknownGeometryError, UpsampleStep, read_feature_maps, skip_steps
from ...structures import ImageFeatures
from ...utils.torch_versions import without_autocast
from ..backbones import FCNVGG
from ..layers import BilinearUpsample
from ..layers.score_conv import ScoreConv
from ..losses.class_weight import check_class_weight
from ..losses.of_head import losses_of
from ..losses.trial import check_losses
from ..necks import FCConvNeck
from .strips import adds_up, losses_in_strips, rows_of_strips


@MODELS.register_module()
class FCNSkipHead(BaseDecodeHead):
    """Score each feature map with a 1x1 convolution, upsample and add from coarse to fine, upsample to the image.

    All crops and kernel sizes follow from where the feature maps lie. Scores are computed in float32, outside autocast.
    Layers carry the reference's names: ``score_fr``, ``upscore2``, ``score_pool4``, ``upscore_pool4``, ``score_pool3``,
    and ``upscore``, ``upscore16`` or ``upscore8`` last. A second map of the stride of pool3 is ``score_pool3_2``, and
    the last upsampling of a head with a map of stride 2 ``upscore_image``, as ``upscore2`` is the first one.

    Args:
        in_channels (Sequence[int], optional): channels of the feature maps used, fine to coarse; by default those of
            ``input_maps``.
        geometry (Sequence[dict], optional): where the used maps lie, fine to coarse, ``dict(stride=..., offset=...)``
            in pixels (see :mod:`fcn_plugin.geometry`), for a backbone that nothing is known of.
        num_classes (int): number of classes.
        input_maps (Sequence[FeatureMap], optional): the maps that the backbone or the neck returns, handed in by
            :class:`AlignedEncoderDecoder`; none if nothing is known of them. If they are left out, as by the toolbox's
            EncoderDecoder, the maps lie as those of the reference's VGG16 with padding=100, unless ``geometry`` says
            otherwise.
        in_index (Sequence[int], optional): which of the maps to use, fine to coarse. Defaults to the last ones.
        skip_scales (Sequence[float], optional): constants on the skips, fine to coarse, such as (1e-4, 1e-2) for
            training at once. Defaults to 1.
        learnable_upsampling (bool): train the upsampling between the fusions. Defaults to False, fixed bilinear.
        learnable_last_upsampling (bool): train the last upsampling as well. Defaults to False.
        border (str, optional): what the scores are beyond the edge of their maps: 'zeros', to which they fade within a
            cell, as in the reference; or 'replicate', the scores at the edge. A map of a ResNet has its last cell up
            to a stride before the image's end, where zeros leave little of its scores. By default 'replicate' if cells
            of a used map may end inside the image (:attr:`CoordMap.ends_inside`), and else 'zeros'.
        strips (bool, optional): whether a training step computes the last upsampling and the loss in strips of rows,
            and again in the backward pass, so that the logits of a batch and their gradient never exist at once. By
            default where they would need 64 MiB or more. Losses other than :class:`PixelCrossEntropyLoss`, and pixel
            samplers that look at logits, need all of them, and so have no strips.
        **kwargs: ``loss_decode`` (any loss of the toolbox; by default :class:`PixelCrossEntropyLoss`),
            ``ignore_index``, ``sampler``, ``out_channels``, ``threshold``, ``align_corners`` and ``init_cfg`` of
            :class:`mmseg.models.decode_heads.decode_head.BaseDecodeHead`.

    Attributes:
        feature_maps (tuple[CoordMap, ...]): where the used maps lie, fine to coarse.

    Shapes: maps (N, C_i, h_i, w_i) of an image (N, 3, H, W) -> logits (N, num_classes, H, W), exactly.

    Raises:
        ValueError: when built, if the maps do not fit the arguments, cannot be aligned, or do not reach the image, or
            if a loss has weights for another number of classes, or cannot train the head.

    Source: section 4 of the FCN paper; reference files ``voc-fcn{32s,16s,8s,8s-atonce}/net.py``.
    """

    #: Number of feature maps that a subclass fuses; None for any.
    num_maps: int | None = None

    def __init__(
        self,
        in_channels: Sequence[int] | None = None,
        geometry: Sequence[dict] | None = None,
        *,
        num_classes: int,
        input_maps: Sequence[FeatureMap] | None = None,
        in_index: Sequence[int] | None = None,
        skip_scales: Sequence[float] | None = None,
        learnable_upsampling: bool = False,
        learnable_last_upsampling: bool = False,
        border: str | None = None,
        strips: bool | None = None,
        **kwargs,
    ) -> None:
        for name in ("input_transform", "dropout_ratio", "channels", "conv_cfg", "norm_cfg", "act_cfg"):
            if name in kwargs:
                raise TypeError(f"{type(self).__name__} has no {name}: its only layers are scores and upsampling")
        in_index, in_channels, coord_maps = self._select(in_channels, geometry, in_index, input_maps)
        skip_scales = [1.0] * (len(in_channels) - 1) if skip_scales is None else list(skip_scales)
        if len(skip_scales) != len(in_channels) - 1:
            raise ValueError(f"{len(in_channels)} maps need one skip scale fewer, got skip_scales={skip_scales}")
        if border is None:
            border = "replicate" if any(one.ends_inside for one in coord_maps) else "zeros"
        if border not in ("zeros", "replicate"):
            raise ValueError(f"border must be 'zeros' or 'replicate', got {border!r}")
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
        check_class_weight(self)
        check_losses(self)

        self.feature_maps = coord_maps
        self.steps = skip_steps(self.feature_maps)
        self.skip_scales = skip_scales
        self.border, self.strips, self._strips_are_told = border, strips, False
        self.score_names, self.upscore_names = self.layer_names(self.feature_maps)

        for name, channels in zip(self.score_names, reversed(in_channels)):
            self.add_module(name, ScoreConv(channels, self.out_channels))
        for name, step in zip(self.upscore_names, self.steps):
            learnable = learnable_last_upsampling if step is self.steps[-1] else learnable_upsampling
            if not step.changes_nothing:
                self.add_module(name, BilinearUpsample(self.out_channels, step.kernel, step.factor, learnable))

    def _select(
        self,
        in_channels: Sequence[int] | int | None,
        geometry: Sequence[dict] | None,
        in_index: Sequence[int] | int | None,
        input_maps: Sequence[FeatureMap] | None,
    ) -> tuple[list[int], list[int], tuple[CoordMap, ...]]:
        """Indices, channels and positions of the used maps, as they are extracted; what is given must agree."""
        if isinstance(geometry, Mapping):
            raise ValueError(
                f"geometry must list dict(stride=..., offset=...) of each used map, got {dict(geometry)}: leave it out"
                " and set model.type='AlignedEncoderDecoder', which reads the positions from the backbone and the neck"
            )
        in_channels, in_index = ([one] if isinstance(one, int) else one for one in (in_channels, in_index))
        given = dict(in_channels=in_channels, geometry=geometry, in_index=in_index)
        given = {name: list(value) for name, value in given.items() if value is not None}
        count = self.num_maps or next(map(len, given.values()), len(input_maps or ()))
        if not count or any(len(value) != count for value in given.values()):
            listed = ", ".join(f"{name}={value}" for name, value in given.items()) or "nothing that tells their number"
            raise ValueError(f"{type(self).__name__} fuses {count or 'one or more'} feature map(s), got {listed}")
        in_index, channels = given.get("in_index", list(range(-count, 0))), given.get("in_channels")
        declared = geometry and tuple(CoordMap(**entry) for entry in geometry)
        if not input_maps and channels and declared:
            return in_index, channels, declared
        if input_maps is not None and not input_maps:
            raise UnknownGeometryError(
                "nothing is known of the maps of this backbone, which does not run without values, so"
                " decode_head.in_channels is needed as well"
            )
        maps = input_maps or reference_maps()
        listed = ", ".join(f"{i}: {one}" for i, one in enumerate(maps))
        if any(not -len(maps) <= i < len(maps) for i in in_index):
            raise ValueError(
                f"in_index={in_index} reaches beyond the {len(maps)} maps of the feature extractor ({listed})"
                + ("" if input_maps else ", which are the reference's: set model.type='AlignedEncoderDecoder'")
            )
        used = [maps[i] for i in in_index]
        coord_maps = tuple(one.coord_map for one in used)
        if not input_maps:
            return in_index, channels or [one.channels for one in used], declared or coord_maps
        if channels not in (None, [one.channels for one in used]):
            raise ValueError(
                f"in_channels={channels} in the maps {in_index}, but the feature extractor gives {listed}: leave"
                " in_channels out, or set in_index to other maps"
            )
        if None not in coord_maps and declared not in (None, coord_maps):
            raise ValueError(
                f"decode_head.geometry says that the feature maps lie at {', '.join(map(str, declared))}, but those of"
                f" the model lie at {', '.join(map(str, coord_maps))}: leave geometry out"
            )
        if None in coord_maps:
            coord_maps = self._declared(
                declared, used, f"the maps {in_index}, but the feature extractor gives {listed}"
            )
        return in_index, [one.channels for one in used], coord_maps

    @staticmethod
    def _declared(
        declared: tuple[CoordMap, ...] | None, used: Sequence[FeatureMap], where: str
    ) -> tuple[CoordMap, ...]:
        """Positions of maps that nothing else tells, if their strides are those of the maps, and about their places."""
        if not declared:
            raise UnknownGeometryError("where the maps of this backbone lie is not known")
        for at, one in zip(declared, used):
            if one.stride is None or abs(at.stride / one.stride - 1) > Fraction(1, 20):  # seen in whole cells
                strides = ", ".join(f"{float(m.stride):g}" for m in declared)
                raise ValueError(
                    f"decode_head.geometry says strides of {strides} in {where}: set in_index to other maps, or"
                    " geometry to where these lie"
                )
            if abs(cells := one.off_centre(at)) > 1.5:  # half a cell, if all padding is on one side, and rounding
                pixels = abs(float(cells * at.stride))
                raise ValueError(
                    f"decode_head.geometry says {at}, which puts a map {pixels:.4g} pixels off the image's middle,"
                    f" in {where}: set geometry to where it lies (tools/alignment.py measures it)"
                )
        return declared

    @staticmethod
    def layer_names(feature_maps: Sequence[CoordMap]) -> tuple[list[str], list[str]]:
        """Names of the score and the upsampling layers, in the order of their use (coarse to fine)."""
        *skips, _ = (int(m.stride) for m in feature_maps)
        levels: list[str] = []
        for stride in reversed(skips):
            level = f"pool{stride.bit_length() - 1}"
            number = 1 + sum(one.partition("_")[0] == level for one in levels)
            levels.append(level if number == 1 else f"{level}_{number}")
        scores = ["score_fr", *(f"score_{level}" for level in levels)]
        if not levels:
            return scores, ["upscore"]
        last = "upscore_image" if skips[0] == 2 else f"upscore{skips[0]}"
        return scores, ["upscore2", *(f"upscore_{level}" for level in levels[:-1]), last]

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

        Raises:
            TypeError: for features that do not know their image.
            ValueError: for those of another feature extractor than the head was built for.
        """
        return self._logits(self._fused(inputs), inputs.image_size)

    def _fused(self, inputs: ImageFeatures) -> Tensor:
        """The sum of all scores (N, num_classes, h, w), on the grid of the finest map."""
        if not isinstance(inputs, ImageFeatures):
            raise TypeError(
                f"{type(self).__name__} needs the image's size and the maps' positions, which {type(inputs).__name__}"
                " does not carry: set model.type='AlignedEncoderDecoder', or return ImageFeatures from the backbone"
            )
        if (found := tuple(inputs.coord_maps[i] for i in self.in_index)) != self.feature_maps:
            raise ValueError(self.misfit(found))
        features = self._transform_inputs(inputs)
        with without_autocast(features[-1].device.type):
            score = getattr(self, self.score_names[0])(self._at_least_float32(features.pop()))
            scales = list(self.skip_scales)
            for step, score_name, upscore_name in zip(self.steps, self.score_names[1:], self.upscore_names):
                skip, scale = self._at_least_float32(features.pop()), scales.pop()
                skip = getattr(self, score_name)(skip if scale == 1 else skip * scale)
                skip = skip[:, :, step.crop_target :, step.crop_target :]
                score = self._sum(self._upsampled(score, upscore_name, step), skip)
        return score

    def _logits(self, score: Tensor, size: tuple[int, int], rows: slice | None = None) -> Tensor:
        """The logits (N, num_classes, H, W) of an image of that size, or of some of its rows, from the fused scores."""
        wanted = rows or slice(0, size[0])
        with without_autocast(score.device.type):
            logits = self._upsampled(score, self.upscore_names[-1], self.steps[-1], rows)
        logits = logits[:, :, : wanted.stop - wanted.start, : size[1]]
        if logits.shape[2:] != (wanted.stop - wanted.start, size[1]):
            raise ValueError(
                f"the scores end at {(wanted.start + logits.shape[2], logits.shape[3])} of an image of {tuple(size)}"
                f" pixels, as the feature extractor rounds sizes down: set size_divisor={self.feature_maps[-1].stride}"
                " of the AlignedEncoderDecoder, or pad the images to multiples of it"
            )
        return logits.contiguous()

    def loss(
        self, inputs: ImageFeatures, batch_data_samples: Sequence[SegDataSample], train_cfg: Mapping
    ) -> dict[str, Tensor]:
        """The toolbox's losses of a batch, in strips where that is set, or where it pays."""
        rows = None
        if isinstance(inputs, ImageFeatures) and self._can_strip():
            labels = self._stack_batch_gt(batch_data_samples).squeeze(1)
            if labels.shape[1:] == tuple(inputs.image_size):  # otherwise the toolbox resizes the logits
                rows = rows_of_strips(len(labels), self.out_channels, inputs.image_size, self.strips)
        if rows is None:
            return super().loss(inputs, batch_data_samples, train_cfg)
        if not self._strips_are_told:
            self._strips_are_told = True
            print_log(
                f"The last upsampling and the loss are computed in strips of {rows} rows, to save memory", "current"
            )
        score = self._fused(inputs)
        weight = None if self.sampler is None else self.sampler.sample(score, labels[:, None])

        def logits_of(score: Tensor, rows: slice) -> Tensor:
            return self._logits(score, inputs.image_size, rows)

        return losses_in_strips(logits_of, score, labels, losses_of(self), weight, self.ignore_index, rows)

    def _can_strip(self) -> bool:
        """Whether losses and samplers add up over pixels, and nothing looks at the logits of whole images."""
        own = all(getattr(type(self), name) is getattr(FCNSkipHead, name) for name in ("forward", "loss_by_feat"))
        return own and not self.steps[-1].changes_nothing and adds_up(self)

    def misfit(self, found: Sequence[CoordMap]) -> str:
        """What to say of maps that lie elsewhere."""
        return (
            f"{type(self).__name__} was built for feature maps at {', '.join(map(str, self.feature_maps))}, but the"
            f" feature extractor gives {', '.join(map(str, found))}: set model.type='AlignedEncoderDecoder', which"
            " tells the head"
        )

    @staticmethod
    def _at_least_float32(features: Tensor) -> Tensor:
        return features.to(torch.promote_types(features.dtype, torch.float32))

    def _upsampled(self, score: Tensor, name: str, step: UpsampleStep, rows: slice | None = None) -> Tensor:
        """Upsample scores by the layer of that name; they then start with the target, or where they start later.

        Of some rows, counted from the start of the target, these are computed alone.
        """
        top = left = step.crop_upsampled
        if step.changes_nothing:
            return score[:, :, top:, left:]
        if self.border == "replicate":
            score = functional.pad(score, (1, 1, 1, 1), mode="replicate")
            top, left = top + step.factor, left + step.factor
        if rows is not None:  # cell i reaches the rows from factor * i to factor * i + kernel - 1
            first = max(0, (top + rows.start - step.kernel) // step.factor + 1)
            score = score[:, :, first : (top + rows.stop - 1) // step.factor + 1]
            top += rows.start - step.factor * first
        return getattr(self, name)(score)[:, :, top:, left:]

    @staticmethod
    def _sum(one: Tensor, other: Tensor) -> Tensor:
        """Add two score maps where they overlap."""
        height, width = (min(a, b) for a, b in zip(one.shape[2:], other.shape[2:]))
        return one[:, :, :height, :width] + other[:, :, :height, :width]


def reference_maps() -> tuple[FeatureMap, ...]:
    """The maps of the reference's feature extractor, VGG16 with padding=100 and a valid fc6."""
    with torch.device("meta"):
        return read_feature_maps(FCNVGG(), FCConvNeck())


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
