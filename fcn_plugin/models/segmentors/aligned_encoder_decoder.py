"""The toolbox's segmentor with feature maps that know where they lie in the image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from mmengine.config import ConfigDict
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn
from torch.nn import functional

from ...geometry import CoordMap, read_feature_maps
from ...geometry.feature_extractor import takes_size
from ...structures import ImageFeatures
from ...weights.preprocessing import TORCHVISION
from ..decode_heads.fcn_skip_head import FCNSkipHead
from ..heads import check_stretched, heads_of
from .tile_settings import TileSettings
from .tiled_inference import TiledInference, predict_labels, whole_logits

#: For the input of most ImageNet weights; a batch is padded to its largest image.
DATA_PREPROCESSOR = dict(type="SegDataPreProcessor", **TORCHVISION, size_divisor=1, pad_val=0, seg_pad_val=255)


@MODELS.register_module()
class AlignedEncoderDecoder(EncoderDecoder):
    """EncoderDecoder that puts the skip heads on any backbone of the toolbox, exactly aligned.

    Backbone and neck are built first; where their maps lie and what channels they have is read from them
    (:func:`fcn_plugin.geometry.read_feature_maps`) and handed to the skip heads, which need neither ``in_channels`` nor
    ``geometry``. If nothing is known of the feature extractor, ``decode_head.geometry`` declares its maps. Heads of the
    toolbox work as in EncoderDecoder, and parameters have the same names.

    Args:
        backbone (Mapping): config of any backbone.
        decode_head (Mapping): config of a skip head, or of any head of the toolbox.
        neck (Mapping, optional): config of a neck.
        auxiliary_head (Mapping | Sequence[Mapping], optional): as ``decode_head``.
        size_divisor (int): pad images with zeros (the mean colour) at the right and at the bottom to a multiple of
            this, inside the network; the logits have the image's own size. For backbones that drop what does not fill
            a cell (ConvNeXt) or refuse it (UNet). Defaults to 1.
        channels_last (bool): give the backbone images whose channels lie beside each other in memory, which its maps
            take over. The same up to rounding, and on CPUs faster for networks of depthwise convolutions (EfficientNet
            trains in 0.6 of the time). Defaults to False.
        data_preprocessor (Mapping, optional): by default the toolbox's for ImageNet weights (RGB).
        test_cfg (Mapping, optional): by default whole images; with ``mode='slide'`` the toolbox's windows, with
            ``mode='tiles'`` windows that give the logits of the whole (:class:`.tiled_inference.TiledInference`; its
            settings are those of :class:`.tile_settings.TileSettings`). It is for ``predict``, not for ``tensor``.
        **kwargs: ``train_cfg``, ``pretrained`` and ``init_cfg`` of :class:`mmseg.models.EncoderDecoder`.

    Attributes:
        feature_maps (tuple[FeatureMap, ...]): what backbone and neck return; empty if only a run can tell.

    Raises:
        ValueError: when built, if a head was given other channels or positions than the extracted maps have, or if
            their positions are not known; for settings of ``test_cfg`` that do not fit.
    """

    #: Modes of ``test_cfg``.
    test_modes: tuple[str, ...] = ("whole", "slide", "tiles")

    def __init__(
        self,
        backbone: Mapping,
        decode_head: Mapping,
        neck: Mapping | None = None,
        auxiliary_head: Mapping | Sequence[Mapping] | None = None,
        size_divisor: int = 1,
        channels_last: bool = False,
        data_preprocessor: Mapping | None = None,
        test_cfg: Mapping | None = None,
        **kwargs,
    ) -> None:
        if not isinstance(size_divisor, int) or size_divisor < 1:
            raise ValueError(f"size_divisor must be an integer of 1 or more, got {size_divisor!r}")
        self.size_divisor, self.channels_last = size_divisor, channels_last
        if not isinstance(data_preprocessor, nn.Module):
            with torch.device("cpu"):  # with values also in a model without, as its checks need them
                data_preprocessor = MODELS.build(data_preprocessor or DATA_PREPROCESSOR)
        super().__init__(
            backbone,
            decode_head,
            neck,
            auxiliary_head,
            data_preprocessor=data_preprocessor,
            test_cfg=ConfigDict({"mode": "whole", **(test_cfg or {})}),
            **kwargs,
        )
        strides = [one.stride for one in self.feature_maps if one.stride] + [
            at.stride for head in skip_heads(self).values() for at in head.feature_maps
        ]
        self.coarsest_stride = int(max(strides, default=1))
        self.drops_pixels = any(one.coord_map.ends_unseen for one in self.feature_maps if one.coord_map is not None)
        if not self.fills_cells and any(one.whole_cells for one in self.feature_maps):
            raise ValueError(
                f"the maps of {type(self.backbone).__name__} lie elsewhere in images that do not fill their cells: set"
                f" model.size_divisor={self.coarsest_stride}"
            )
        if self.test_cfg.mode not in self.test_modes:
            modes = f"{', '.join(map(repr, self.test_modes[:-1]))} or {self.test_modes[-1]!r}"
            raise ValueError(
                f"model.test_cfg.mode must be {modes}, got {self.test_cfg.mode!r}: set model.test_cfg.mode=whole"
            )
        self._tiling: TiledInference | None = None
        if self.test_cfg.mode == "tiles":
            _ = self.tiling  # what does not fit is said now

    @property
    def tiling(self) -> TiledInference:
        """How pictures are predicted in tiles, by the settings of ``test_cfg``."""
        stride = math.lcm(self.coarsest_stride, self.size_divisor)
        settings = TileSettings.read(self.test_cfg, stride)
        if self._tiling is None or self._tiling.settings != settings:
            self._tiling = TiledInference(self, settings, stride)
        return self._tiling

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits (N, num_classes, H, W) of images (N, C, H, W), by the mode of ``test_cfg``."""
        return (
            whole_logits(self, inputs) if self.test_cfg.mode == "tiles" else super().inference(inputs, batch_img_metas)
        )

    def predict(self, inputs: Tensor, data_samples: list[SegDataSample] | None = None) -> list[SegDataSample]:
        """Predict the classes of images, as the toolbox does.

        In mode 'tiles', predictions hold ``pred_sem_seg`` alone, so that the logits of a picture are never held, unless
        ``test_cfg.logits`` is set, or the prediction is turned or resized, as for test-time augmentation.

        Args:
            inputs (Tensor): images (N, C, H, W).
            data_samples (list[SegDataSample], optional): of the images, to which the predictions are added.
        """
        predicted = predict_labels(self, inputs, data_samples) if self.test_cfg.mode == "tiles" else None
        return super().predict(inputs, data_samples) if predicted is None else predicted

    @property
    def fills_cells(self) -> bool:
        """Whether ``size_divisor`` makes images fill the cells of all maps."""
        return self.size_divisor % self.coarsest_stride == 0

    def _init_decode_head(self, decode_head: Mapping) -> None:
        """Read the built feature extractor, and build the head for it."""
        self.feature_maps = read_feature_maps(self.backbone, self.neck if self.with_neck else None)
        super()._init_decode_head(self._for_feature_maps(decode_head))
        self._check(self.decode_head)

    def _init_auxiliary_head(self, auxiliary_head: Mapping | Sequence[Mapping] | None) -> None:
        if auxiliary_head is None:
            return
        several = isinstance(auxiliary_head, (list, tuple))
        heads = nn.ModuleList()
        for number, head in enumerate(auxiliary_head if several else [auxiliary_head]):
            try:
                heads.append(MODELS.build(self._for_feature_maps(head)))
                self._check(heads[-1])
            except ValueError as error:
                raise ValueError(f"auxiliary_head{f'.{number}' if several else ''}: {error}") from error
        self.auxiliary_head = heads if several else heads[0]

    def _for_feature_maps(self, head: Mapping) -> Mapping:
        kind = MODELS.get(head["type"]) if isinstance(head["type"], str) else head["type"]
        is_skip_head = isinstance(kind, type) and issubclass(kind, FCNSkipHead)
        return {**head, "input_maps": self.feature_maps} if is_skip_head else head

    def _check(self, head: nn.Module) -> None:
        if isinstance(head, FCNSkipHead):
            return
        if self.size_divisor > 1:
            raise ValueError(
                f"size_divisor={self.size_divisor} pads maps, which {type(head).__name__} would stretch over the image:"
                " pad the images themselves with model.data_preprocessor.size_divisor"
            )
        check_stretched(head, self.backbone, self.neck if self.with_neck else None, self.feature_maps)

    def extract_feat(self, inputs: Tensor) -> Sequence[Tensor]:
        """Run backbone and neck.

        Args:
            inputs (Tensor): images (N, C, H, W).

        Returns:
            ImageFeatures: maps (N, C_i, h_i, w_i); as backbone and neck return them, if nothing tells where they lie.
        """
        height, width = inputs.shape[2:]
        if self.size_divisor > 1:  # also by nothing: exporters keep no branch that depends on the size
            bottom, right = -height % self.size_divisor, -width % self.size_divisor
            inputs = functional.pad(inputs, (0, right, 0, bottom))
        if self.drops_pixels and not self.fills_cells and any(s % self.coarsest_stride for s in inputs.shape[2:]):
            raise ValueError(
                f"{type(self.backbone).__name__} drops pixels of images of {(height, width)} that do not fill a cell:"
                f" set model.size_divisor={self.coarsest_stride}"
            )
        if self.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        try:
            features = super().extract_feat(inputs)
        except (AssertionError, RuntimeError) as error:
            self._check_size(inputs.shape[2:], error)
            raise
        if isinstance(features, Tensor):
            features = (features,)
        if skip_heads(self) and not isinstance(features, (tuple, list)):
            raise TypeError(
                f"the skip heads take feature maps in a tuple, fine to coarse, got a {type(features).__name__} of"
                f" {type(self.neck if self.with_neck else self.backbone).__name__}: return tuple(maps.values()) or the"
                " like"
            )
        coord_maps = [one.coord_map for one in self.feature_maps]
        if None in coord_maps or not coord_maps:
            coord_maps = self._declared(len(features))
        return ImageFeatures(features, (height, width), coord_maps) if coord_maps else features

    def _check_size(self, size: tuple[int, int], error: Exception) -> None:
        """Raise ValueError if it was for the size of the images that the backbone failed."""
        whole_cells = tuple(math.ceil(side / self.coarsest_stride) * self.coarsest_stride for side in size)
        if not takes_size(self.backbone, size) and takes_size(self.backbone, whole_cells):
            raise ValueError(
                f"{type(self.backbone).__name__} does not take images of {tuple(size)} pixels: set"
                f" model.size_divisor={self.coarsest_stride}, to which AlignedEncoderDecoder pads them"
            ) from error

    def _declared(self, count: int) -> list[CoordMap | None]:
        """Positions that the skip heads declare, None for maps that they do not use; empty without such heads."""
        declared = {}
        for head in skip_heads(self).values():
            declared.update(zip((i % count for i in head.in_index), head.feature_maps))
        return [declared.get(i) for i in range(count)] if declared else []


def skip_heads(model: nn.Module) -> dict[str, FCNSkipHead]:
    """The skip heads of a segmentor, by their names in its config."""
    return {name: head for name, head in heads_of(model).items() if isinstance(head, FCNSkipHead)}
