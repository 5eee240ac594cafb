"""The toolbox's segmentor with feature maps that know where they lie in the image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain

from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor
from torch.nn import functional

from ...geometry.backbones import UnknownGeometryError, trunk_maps
from ...geometry.coord_map import CoordMap
from ...geometry.trunk import takes_size
from ...structures.image_features import ImageFeatures
from .checks import check_maps, is_skip_head, skip_heads, with_geometry


@MODELS.register_module()
class AlignedEncoderDecoder(EncoderDecoder):
    """EncoderDecoder that puts the skip heads on any backbone of the toolbox, exactly aligned.

    Whatever maps backbone and neck return become :class:`ImageFeatures`. Where these lie follows from the configs of
    backbone and neck (see :mod:`fcn_plugin.backbone_geometry`), and a skip head needs no ``geometry``; for a trunk
    that is not known, ``decode_head.geometry`` declares it. Heads of the toolbox work as in EncoderDecoder, and
    parameters have the same names.

    Args:
        backbone (Mapping): config of any backbone.
        decode_head (Mapping): config of a skip head, or of any head of the toolbox.
        neck (Mapping, optional): config of a neck.
        auxiliary_head (Mapping | Sequence[Mapping], optional): as ``decode_head``.
        size_divisor (int): pad images with zeros (the mean colour) at the right and at the bottom to a multiple of
            this, inside the network; the logits have the image's own size. For backbones that drop what does not fill
            a cell (ConvNeXt) or refuse it (UNet). Defaults to 1.
        **kwargs: ``data_preprocessor``, ``train_cfg``, ``test_cfg``, ``pretrained`` and ``init_cfg`` of
            :class:`mmseg.models.EncoderDecoder`.

    Raises:
        ValueError: when built, if a head was told other channels or positions than the trunk's maps have, or if their
            positions are not known.
    """

    def __init__(
        self,
        backbone: Mapping,
        decode_head: Mapping,
        neck: Mapping | None = None,
        auxiliary_head: Mapping | Sequence[Mapping] | None = None,
        size_divisor: int = 1,
        **kwargs,
    ) -> None:
        if not isinstance(size_divisor, int) or size_divisor < 1:
            raise ValueError(f"size_divisor must be an integer of 1 or more, got {size_divisor!r}")
        several = isinstance(auxiliary_head, (list, tuple))
        auxiliary_heads = auxiliary_head if several else [auxiliary_head] if auxiliary_head else []
        for head in (decode_head, *auxiliary_heads):
            if size_divisor > 1 and not is_skip_head(head):
                raise ValueError(
                    f"size_divisor={size_divisor} pads maps, which {head['type']} would stretch over the image: pad the"
                    " images themselves with model.data_preprocessor.size_divisor"
                )
        decode_head = with_geometry(decode_head, backbone, neck)
        auxiliary_heads = [with_geometry(head, backbone, neck) for head in auxiliary_heads]
        auxiliary_head = auxiliary_heads if several else next(iter(auxiliary_heads), None)
        super().__init__(backbone, decode_head, neck, auxiliary_head, **kwargs)
        self.size_divisor = size_divisor
        try:
            self.coord_maps = trunk_maps(backbone, neck)
        except UnknownGeometryError:
            self.coord_maps = ()
        check_maps(self)
        maps = [*self.coord_maps, *chain.from_iterable(head.feature_maps for head in skip_heads(self).values())]
        self.coarsest_stride = int(max((one.stride for one in maps), default=1))

    def extract_feat(self, inputs: Tensor) -> Sequence[Tensor]:
        """Run backbone and neck.

        Args:
            inputs (Tensor): images (N, C, H, W).

        Returns:
            ImageFeatures: maps (N, C_i, h_i, w_i); as the trunk returns them, if nothing tells where they lie.
        """
        height, width = inputs.shape[2:]
        if self.size_divisor > 1:  # also by nothing: exporters keep no branch that depends on the size
            bottom, right = -height % self.size_divisor, -width % self.size_divisor
            inputs = functional.pad(inputs, (0, right, 0, bottom))
        try:
            features = super().extract_feat(inputs)
        except (AssertionError, RuntimeError) as error:
            self._check_size(inputs.shape[2:], error)
            raise
        if isinstance(features, Tensor):
            features = (features,)
        coord_maps = getattr(features, "coord_maps", self.coord_maps) or self._declared(len(features))
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
