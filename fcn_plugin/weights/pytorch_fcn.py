"""The models of pytorch-fcn, which keep the reference's layer names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from .layer_names import is_reference_name
from .preprocessing import CAFFE
from .source import WeightSource

#: MD5 of the published models as pytorch-fcn checks them, with the scales that their code applies to the skips.
PUBLISHED_SCALES = {
    "d3eb467a80e7da0468a20dfcbc13e6c8": [],  # FCN32s
    "a2d4035f669f09483b39c9a14a0d6670": [1.0],  # FCN16s
    "de93e540ec79512f8770033849c8ae89": [1.0, 1.0],  # FCN8s
    "bfed4437e941fef58932891217fe6464": [1e-4, 1e-2],  # FCN8sAtOnce
}


class PyTorchFCN(WeightSource):
    """``conv1_1``, ``fc6``, ``score_fr``, ``upscore2``; BGR input as Caffe's.

    FCN8s and FCN8sAtOnce have the same names, so the skips' scales are known for published files alone.
    """

    name = "pytorch-fcn"

    def recognises(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether every name is a layer of the reference."""
        return all(map(is_reference_name, tensors))

    def reference_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights as they are."""
        return dict(tensors)

    def meta(self, tensors: Mapping[str, Tensor], checksums: Mapping[str, str]) -> dict:
        """See :meth:`WeightSource.meta`."""
        scales = PUBLISHED_SCALES.get(checksums["md5"])
        return dict(preprocessing=dict(CAFFE), **({} if scales is None else dict(skip_scales=scales)))
