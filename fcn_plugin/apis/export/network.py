"""A trained segmentor as a plain network from images to logits."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from mmengine.model import revert_sync_batchnorm
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from ...geometry import UnknownGeometryError, read_feature_maps
from ...models.decode_heads.fcn_skip_head import FCNSkipHead
from ...models.heads import last_head
from ...weights.preprocessing import preprocessing_of
from ..model import input_channels

USUAL_STRIDE = 32  #: of the coarsest map of a backbone that nothing is known of


def prepare(model: EncoderDecoder) -> EncoderDecoder:
    """Bring a segmentor into the form that exporters take; all that depends on how it was trained is set here.

    Returns:
        EncoderDecoder: the same, on the CPU, in eval mode and without gradients, by its plain layers.

    Raises:
        ValueError: for a segmentor of another kind, or if it is not tested over whole images.
    """
    if not isinstance(model, EncoderDecoder):
        raise ValueError(
            f"only an EncoderDecoder, or what derives from it, can be exported; got {type(model).__name__}"
        )
    head = last_head(model)
    if head.out_channels == 1 and not 0 < head.threshold < 1:
        raise ValueError(f"decode_head.threshold must lie between 0 and 1, got {head.threshold}")
    mode = (model.test_cfg or {}).get("mode", "whole")
    if mode != "whole":
        raise ValueError(
            f"the network is exported as it sees whole images, but the config tests it in mode {mode!r}: set"
            " model.test_cfg.mode=whole"
        )
    model = revert_sync_batchnorm(model).cpu().float().eval().requires_grad_(False)
    for module in model.modules():
        if hasattr(module, "reuse_padding"):  # a short cut whose steps depend on the size of the image
            module.reuse_padding = False
    return model


class ExportableNetwork(nn.Module):
    """Images as they are read, BGR and 0..255, to logits at each of their pixels.

    Args:
        model (EncoderDecoder): as from :func:`prepare`.
        data_preprocessor (Mapping, optional): the config's, whose channel order, mean and standard deviation become
            part of the network; None for a network of images that are prepared already.

    Shapes: float32 (N, C, H, W) -> float32 logits (N, num_classes, H, W).
    """

    def __init__(self, model: EncoderDecoder, data_preprocessor: Mapping | None = None) -> None:
        super().__init__()
        self.model = model
        self.prepares = data_preprocessor is not None
        preparation = preprocessing_of(data_preprocessor or {})
        self.turns_channels = preparation["bgr_to_rgb"]
        self.register_buffer("mean", torch.tensor(preparation["mean"])[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(preparation["std"])[:, None, None], persistent=False)

    @property
    def channels(self) -> int:
        """Channels of the image."""
        return input_channels(self.model)

    @property
    def coarsest_stride(self) -> int:
        """Distance of the cells of the coarsest map, in pixels; where nothing is known of it, the usual one."""
        if isinstance(head := self.model.decode_head, FCNSkipHead):
            return int(max(one.stride for one in head.feature_maps))
        try:
            maps = read_feature_maps(self.model.backbone, getattr(self.model, "neck", None))
        except UnknownGeometryError:
            return USUAL_STRIDE
        return int(max((one.stride for one in maps if one.stride), default=USUAL_STRIDE))

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits of images (N, C, H, W)."""
        if self.prepares:
            if self.turns_channels:
                image = image.flip(1)
            image = (image - self.mean) / self.std
        return self._per_class(self._logits(image))

    def _logits(self, image: Tensor) -> Tensor:
        """Logits of a prepared image at its pixels: those of a skip head, or resized to it as the toolbox does."""
        if isinstance(self.model.decode_head, FCNSkipHead):
            return self.model.decode_head(self.model.extract_feat(image))
        size = image.shape[2:]
        first = dict(img_shape=size, ori_shape=size, pad_shape=size)  # the size of all is taken from it
        return self.model.encode_decode(image, [first])

    def _per_class(self, logits: Tensor) -> Tensor:
        """Logits of each class; of a single score (``out_channels=1``), two, of which the toolbox's class is larger."""
        head = last_head(self.model)
        if head.out_channels > 1:
            return logits
        second = logits - math.log(head.threshold / (1 - head.threshold))  # sigmoid(logits) > threshold
        return torch.cat([torch.zeros_like(second), second], dim=1)

    @torch.no_grad()
    def reference(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """What the toolbox computes, by the model's own ``data_preprocessor``, one image at a time.

        Returns:
            tuple[Tensor, Tensor]: logits (N, num_classes, H, W), and the labels that it makes of them, (N, H, W).
        """
        if self.prepares:
            image = torch.cat([self.model.data_preprocessor(dict(inputs=[one]))["inputs"] for one in image])
        logits = self._logits(image)
        labels = [sample.pred_sem_seg.data[0] for sample in self.model.postprocess_result(logits)]
        return self._per_class(logits), torch.stack(labels).long()
