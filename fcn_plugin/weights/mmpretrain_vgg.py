"""VGG classifiers of mmpretrain (formerly mmcls)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from .preprocessing import TORCHVISION
from .source import WeightSource
from .torchvision_vgg import conv_names, linear_names

FEATURE = re.compile(r"features\.(\d+)\.(conv|bn)\.(\w+)")


class MMPretrainVGG(WeightSource):
    """``backbone.features.N.conv`` and ``.bn``, ``backbone.classifier.N``; RGB input as torchvision's."""

    name = "mmpretrain VGG"

    def recognises(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether there is a ``features.0.conv.weight``, under ``backbone`` or not."""
        return "features.0.conv.weight" in _without_prefix(tensors)

    def reference_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See :meth:`WeightSource.reference_names`."""
        tensors = _without_prefix(tensors)
        matches = [(key, match) for key in tensors if (match := FEATURE.fullmatch(key))]
        layers = sorted({int(m[1]) for _, m in matches})
        names = dict(zip(layers, conv_names(layers)))
        renamed = {f"{names[int(m[1])].replace('conv', m[2])}.{m[3]}": tensors[key] for key, m in matches}
        return renamed | linear_names(tensors)

    def meta(self, tensors: Mapping[str, Tensor], checksums: Mapping[str, str]) -> dict:
        """The input is prepared as for torchvision's networks."""
        return dict(preprocessing=dict(TORCHVISION))


def _without_prefix(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix("backbone."): tensor for key, tensor in tensors.items()}
