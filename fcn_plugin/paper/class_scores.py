"""A classifier's scores all over an image: its fully connected layers as convolutions.

Source: section 3.1 of the FCN paper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..geometry.coord_map import CoordMap
from ..models.decode_heads import FCN32sHead
from ..paths import config_dir
from ..structures.image_features import ImageFeatures
from ..utils.config import read_config
from ..utils.text import summarize
from ..weights.checkpoint import WeightsError
from ..weights.layer_names import architecture


@dataclass(frozen=True)
class ClassScores:
    """A classifier's scores all over an image.

    Attributes:
        cells: a score of each class at each cell of the last feature map, float32 (num_classes, h, w).
        coord_map: where the cells lie in the image.
        image_size: height and width of the image, in pixels.
    """

    cells: Tensor
    coord_map: CoordMap
    image_size: tuple[int, int]

    @property
    def probabilities(self) -> Tensor:
        """The probability of each class at each cell, (num_classes, h, w): a softmax over the classes."""
        return self.cells.softmax(0)

    def highest(self, count: int = 1) -> list[int]:
        """Classes of the highest scores at any cell, the highest first.

        Raises:
            ValueError: if there are fewer classes than ``count``, or it is not positive.
        """
        if not 1 <= count <= len(self.cells):
            raise ValueError(f"the number of classes to show must be 1 to {len(self.cells)}, got {count}")
        return self.cells.flatten(1).amax(1).topk(count).indices.tolist()

    def peak(self, index: int) -> tuple[int, int]:
        """Row and column of the cell where class ``index`` has its highest score."""
        return divmod(int(self.cells[index].argmax()), self.cells.shape[2])

    def describe(self, index: int) -> str:
        """The highest score of a class and its probability there."""
        row, column = self.peak(index)
        return f"score {self.cells[index, row, column]:.2f}, probability {self.probabilities[index, row, column]:.2f}"

    def upsample(self, maps: Tensor) -> Tensor:
        """Bring maps over the cells (k, h, w) to the size of the image, (k, H, W), as FCN-32s does with its scores.

        A thousand classes at every pixel need gigabytes: choose some of ``cells`` or ``probabilities`` before.
        """
        geometry = [dict(stride=self.coord_map.stride, offset=self.coord_map.offset)]
        # one output channel, which the toolbox takes for two classes; the maps are the batch
        head = FCN32sHead([1], geometry, num_classes=2, out_channels=1, threshold=0.5)
        nn.init.ones_(head.score_fr.weight)
        with torch.no_grad():
            return head.to(maps.device)(ImageFeatures([maps[:, None]], self.image_size, [self.coord_map]))[:, 0]


def build_classifier(checkpoint: Mapping, config: str | None = None) -> EncoderDecoder:
    """Make FCN-32s of an ImageNet classifier: ``score_fr`` is the classifier's fc8.

    Args:
        checkpoint (Mapping): as :func:`fcn_plugin.weights.importing.import_weights` returns it. Channels and kernel
            sizes are those of its weights, the preprocessing that of its ``meta``, which must have one.
        config (str, optional): config file with the ``model`` to build backbone and neck from, by default
            ``configs/_base_/models/fcn_{vgg16,caffenet}.py``.

    Returns:
        EncoderDecoder: on the CPU, in eval mode.

    Raises:
        FileNotFoundError: if there is no such config.
        WeightsError: if there is no fc8, as in a segmentation checkpoint, or the weights do not fit the config.
        ValueError: if the config has no such model.
    """
    number_of_classes(checkpoint)
    weights = checkpoint["state_dict"]
    model = MODELS.build(_model_config(weights, checkpoint["meta"]["preprocessing"], config))
    own = model.state_dict()
    state_dict = {key: value for key, value in own.items() if key.endswith(("upscore.weight", "num_batches_tracked"))}
    state_dict.update({key.replace("fc8.", "decode_head.score_fr."): value for key, value in weights.items()})
    misfits = [key for key in {**own, **state_dict} if _shape(own, key) != _shape(state_dict, key)]
    if misfits:
        raise WeightsError(
            f"the weights do not fit {config or 'their architecture'}: {summarize(misfits)}"
            f" ({_shape(state_dict, misfits[0])} in the weights, {_shape(own, misfits[0])} in the model)"
        )
    model.load_state_dict(state_dict)
    return model.eval()


def number_of_classes(checkpoint: Mapping) -> int:
    """How many classes a classifier scores; raises WeightsError if it has not all of fc6, fc7 and fc8."""
    weights = checkpoint["state_dict"]
    missing = [key for key in ("neck.fc6.weight", "neck.fc7.weight", "fc8.weight", "fc8.bias") if key not in weights]
    if missing:
        raise WeightsError(
            f"the weights have no {', '.join(missing)} (they have {summarize(list(weights)[::-1])}): a heat map needs"
            " an ImageNet classifier with its fully connected layers, not a segmentation network"
        )
    return len(weights["fc8.weight"])


def _shape(state_dict: Mapping[str, Tensor], key: str) -> str:
    return "x".join(map(str, state_dict[key].shape)) or "one number" if key in state_dict else "none"


def _model_config(weights: Mapping[str, Tensor], preprocessing: Mapping, config: str | None) -> ConfigDict:
    """The model of a config with the classifier's numbers of channels, its scores and its preprocessing."""
    if config is None:
        name = architecture(weights)
        vgg = re.fullmatch(r"vgg(\d+)(_bn)?", name)
        model = read_config(str(config_dir() / f"_base_/models/fcn_{'vgg16' if vgg else name}.py")).model
        if vgg:
            model.backbone.update(depth=int(vgg[1]), norm_cfg=dict(type="BN") if vgg[2] else None)
    else:
        model = read_config(config).get("model") or {}
        if not {"backbone", "neck", "data_preprocessor"} <= model.keys():
            raise ValueError(f"{config} has no model with a backbone, a neck and a data_preprocessor")
    fc6, fc8 = weights["neck.fc6.weight"], weights["fc8.weight"]
    width = model.backbone.get("width", 1.0) * fc6.shape[1] / model.neck.in_channels
    model.backbone.update(width=width, init_cfg=None)
    model.neck.update(in_channels=fc6.shape[1], channels=len(fc6), fc6_kernel=fc6.shape[2], init_cfg=None)
    model.data_preprocessor.update(preprocessing)
    model["_scope_"] = "mmseg"  # where its components are registered
    model.type = "AlignedEncoderDecoder"
    model.decode_head = dict(type="FCN32sHead", num_classes=len(fc8))
    return model


@torch.no_grad()
def class_scores(model: EncoderDecoder, image: np.ndarray) -> ClassScores:
    """Score all classes at every cell of an image, BGR, uint8 (H, W, 3), with a model of :func:`build_classifier`."""
    data = model.data_preprocessor(dict(inputs=[torch.from_numpy(image).permute(2, 0, 1)]))
    features = model.extract_feat(data["inputs"])
    return ClassScores(model.decode_head.score_fr(features[-1])[0], features.coord_maps[-1], features.image_size)
