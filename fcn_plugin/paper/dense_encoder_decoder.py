"""A segmentor that also tests by dense scores, without upsampling over large distances."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..geometry.coord_map import IMAGE, CoordMap
from ..geometry.skip_steps import upsample_step
from ..models.decode_heads.fcn_skip_head import FCNSkipHead
from ..models.layers import BilinearUpsample
from ..models.segmentors.aligned_encoder_decoder import AlignedEncoderDecoder
from ..utils.torch_versions import without_autocast
from .a_trous import dense_form, layers_in_order
from .shift_and_stitch import check_divisor, dense_map, shift_and_stitch


@MODELS.register_module()
class DenseEncoderDecoder(AlignedEncoderDecoder):
    """A segmentor with two more test modes, for FCN-32s on any feature extractor.

    ``test_cfg=dict(mode='shift_and_stitch', stride=f)`` makes scores every f pixels from shifted inputs, f a divisor of
    the network's stride; ``dict(mode='a_trous', stride=f)`` makes them with dilated filters. Between the scores, pixels
    are interpolated bilinearly by a fixed kernel, in place of the head's last upsampling: with the network's own
    stride, both modes are the ordinary network with fixed upsampling. With ``stride=1``, a pixel has the score of the
    receptive field that is centred on it; fields of even size, as those of VGG16, are centred between pixels, and then
    a pixel has the mean of the four fields around it.

    Both modes give the same scores where the receptive field does not reach over the top and left border of the image
    as the first convolution pads it. With ``backbone.padding`` of half a field, 202 for VGG16, that is everywhere.
    Dilation is for feature extractors that are a chain of layers, as those of this package; shifting is for any.

    Shifting takes (32 / f)² passes in the memory of one. Dilation computes nothing twice, but keeps all maps behind the
    stride f at full size (:func:`dense_form`). VGG16 on 96x96 pixels needs at stride 8 14 times the time with shifts
    (41 s and 3 s on one core of a busy machine), and three quarters of the memory (50 and 68 MiB of tensors); with a
    tenth of its channels at stride 2, 22 times the time, and a quarter of the memory (6 and 26 MiB).

    Weights are those of the toolbox's ``EncoderDecoder``. Training and its other test modes are unchanged. The paper's
    remark that learning to upsample is preferable can be checked by two commands, on any data::

        fcn test configs/fcn32s_vgg16_voc.py FCN32S --cfg-options model.type=DenseEncoderDecoder \\
            model.test_cfg.mode=a_trous model.test_cfg.stride=8
        fcn test configs/fcn8s_vgg16_voc.py FCN8S

    Args:
        **kwargs: those of :class:`AlignedEncoderDecoder`.

    Raises:
        ValueError: if the head fuses several maps, or ``stride`` is no divisor of the network's.

    Source: section 3.2 of the FCN paper.
    """

    dense_modes = ("shift_and_stitch", "a_trous")
    test_modes = (*AlignedEncoderDecoder.test_modes, *dense_modes)

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.dense_extractors: dict[int, nn.Sequential] = {}  # by stride; they share all of their weights
        if (self.test_cfg or {}).get("mode") in self.dense_modes:
            check_divisor(self.test_cfg.get("stride", 1), score_map(self))

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits (N, num_classes, H, W) of images (N, 3, H, W), by the mode of ``test_cfg``."""
        if self.test_cfg.mode not in self.dense_modes:
            return super().inference(inputs, batch_img_metas)
        scores, coord_map = self.dense_scores(inputs, self.test_cfg.mode, self.test_cfg.get("stride", 1))
        return upsample_to_image(scores, coord_map, inputs.shape[2:])

    def dense_scores(self, images: Tensor, mode: str, stride: int) -> tuple[Tensor, CoordMap]:
        """Scores (N, num_classes, h, w) every ``stride`` pixels of images (N, 3, H, W), and where they lie.

        Args:
            images (Tensor): (N, 3, H, W).
            mode (str): 'shift_and_stitch' or 'a_trous'.
            stride (int): distance of the scores, in pixels; a divisor of the network's stride.

        Raises:
            ValueError: as the class.
        """
        coord_map = score_map(self)
        check_divisor(stride, coord_map)
        if mode == "shift_and_stitch":
            return shift_and_stitch(self._scores, images, coord_map, stride)
        if mode != "a_trous":
            raise ValueError(f"dense scores come by mode {' or '.join(map(repr, self.dense_modes))}, got {mode!r}")
        if stride not in self.dense_extractors:
            self.dense_extractors[stride] = dense_form(layers_in_order(self, images[:1]), stride)
        most = int(coord_map.stride) - stride
        features = self.dense_extractors[stride](F.pad(images, (most, 0, most, 0)))
        return score(self, features), dense_map(coord_map, stride)

    def _scores(self, images: Tensor) -> Tensor:
        return score(self, self.extract_feat(images)[self.decode_head.in_index[-1]])


def score_map(model: EncoderDecoder) -> CoordMap:
    """Where the scores of a segmentor without skips lie, before they are upsampled.

    Raises:
        ValueError: if its head fuses several maps, or is not of this package.
    """
    head = model.decode_head
    if not isinstance(head, FCNSkipHead) or len(head.feature_maps) != 1:
        raise ValueError(
            f"dense scores are those of a single map, as of FCN-32s, but {type(head).__name__} is no head of one map"
        )
    return head.feature_maps[0]


def score(model: EncoderDecoder, features: Tensor) -> Tensor:
    """The class scores (N, num_classes, h, w) of a segmentor without skips, from its last features, in float32."""
    (name,) = model.decode_head.score_names
    with without_autocast(features.device.type):
        return getattr(model.decode_head, name)(features.to(torch.promote_types(features.dtype, torch.float32)))


def upsample_to_image(scores: Tensor, coord_map: CoordMap, size: tuple[int, int]) -> Tensor:
    """Interpolate scores (N, C, h, w) at ``coord_map`` bilinearly at each pixel: (N, C, H, W).

    Raises:
        ValueError: if the scores do not reach the borders of the image.
    """
    step = upsample_step(coord_map, IMAGE)
    if step.kernel > 1:
        scores = BilinearUpsample(scores.shape[1], step.kernel, step.factor).to(scores)(scores)
    start, (height, width) = step.crop_upsampled, size
    logits = scores[:, :, start : start + height, start : start + width]
    if step.crop_target or logits.shape[2:] != (height, width):
        raise ValueError(
            f"the dense scores do not reach all of the {height} x {width} pixels: use a larger padding in the backbone"
        )
    return logits.contiguous()
