"""VGG classifiers in torchvision's layout: torchvision's own (RGB), and those converted from Caffe (BGR)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from .checkpoint import WeightsError
from .preprocessing import CAFFE, RGB_255, TORCHVISION
from .source import WeightSource

FEATURE = re.compile(r"features\.(\d+)\.(\w+)")
LINEAR = re.compile(r"classifier\.(\d+)\.(weight|bias)")

#: First digits of the SHA-256 of published files, as in their names; where there are none, the MD5 that is published.
PUBLISHED = {
    # torchvision: vgg11, 13, 16, 19 and the same with BatchNorm
    **dict.fromkeys(("8a719046", "19584684", "397923af", "dcbb9e9d"), TORCHVISION),
    **dict.fromkeys(("6002323d", "abd245e5", "6c64b313", "c79401a0"), TORCHVISION),
    # Caffe's VGG16 and VGG19, converted by Justin Johnson
    **dict.fromkeys(("00b39a1b", "d01eb7cb"), CAFFE),
    # Caffe's VGG16 with RGB input, from SSD: torchvision's vgg16_features and open-mmlab's vgg16_caffe
    **dict.fromkeys(("88682ab5", "292e1171"), RGB_255),
    "aa75b158f4181e7f6230029eb96c1b13": CAFFE,  # pytorch-fcn's vgg16_from_caffe.pth
}


class TorchvisionVGG(WeightSource):
    """``features.N`` and ``classifier.N``; Caffe conversions keep this layout, so the input needs a closer look."""

    name = "torchvision VGG"

    def recognises(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether all names are ``features.N.*`` or ``classifier.N.*``."""
        return "features.0.weight" in tensors and all(FEATURE.fullmatch(k) or LINEAR.fullmatch(k) for k in tensors)

    def reference_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See :meth:`WeightSource.reference_names`."""
        convs = sorted({int(m[1]) for key, m in _matches(FEATURE, tensors) if tensors[key].ndim == 4})
        names = dict(zip(convs, conv_names(convs)))
        renamed = {}
        for key, match in _matches(FEATURE, tensors):
            index = int(match[1])
            # a norm layer directly follows its convolution
            layer = names.get(index) or names.get(index - 1, "").replace("conv", "bn")
            if not layer:
                raise WeightsError(f"{key} belongs to no convolution of a VGG")
            renamed[f"{layer}.{match[2]}"] = tensors[key]
        return renamed | linear_names(tensors)

    def meta(self, tensors: Mapping[str, Tensor], checksums: Mapping[str, str]) -> dict:
        """The input is known for published files; other classifiers that start with dropout come from Caffe."""
        published = PUBLISHED.get(checksums["sha256"][:8]) or PUBLISHED.get(checksums["md5"])
        if published is None and "classifier.1.weight" in tensors:
            published = CAFFE
        return dict(preprocessing=dict(published)) if published else {}


def conv_names(indices: Sequence[int]) -> list[str]:
    """Names ``conv1_1`` ... of convolutions by their positions among the layers: a pooling leaves a larger gap."""
    gaps = [b - a for a, b in zip(indices, indices[1:])]
    names, stage, number = [], 1, 1
    for gap in [0, *gaps]:
        if gap > min(gaps, default=0):
            stage, number = stage + 1, 1
        names.append(f"conv{stage}_{number}")
        number += 1
    return names


def linear_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The classifier's linear layers as fc6, fc7 and fc8, in their order.

    Raises:
        WeightsError: if there are more than three.
    """
    matches = _matches(LINEAR, tensors)
    linears = sorted({int(m[1]) for _, m in matches})
    if len(linears) > 3:
        raise WeightsError(f"the classifier has {len(linears)} linear layers, that of VGG three")
    return {f"fc{6 + linears.index(int(m[1]))}.{m[2]}": tensors[key] for key, m in matches}


def _matches(pattern: re.Pattern, tensors: Mapping[str, Tensor]) -> list[tuple[str, re.Match]]:
    return [(key, match) for key in tensors if (match := pattern.fullmatch(key))]
