"""VGG classifiers of Keras (``.h5``, TensorFlow's order of dimensions)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from .checkpoint import WeightsError
from .layer_names import as_convolution, last_channels
from .preprocessing import CAFFE
from .source import WeightSource

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
LAYER_NAMES = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}


def read_keras(path: Path) -> dict[str, Tensor]:
    """Read the layers of a Keras weight file as ``block1_conv1.kernel`` and ``block1_conv1.bias``.

    Raises:
        WeightsError: if h5py is not installed, or the file is damaged or holds no layers.
    """
    try:
        import h5py
    except ImportError as error:
        raise WeightsError(f'reading {path} needs h5py: run pip install "fcn_plugin[weights]"') from error
    tensors: dict[str, Tensor] = {}

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
            layer = name.removeprefix("model_weights/").partition("/")[0]
            parameter = "bias" if item.ndim == 1 else "kernel"
            if f"{layer}.{parameter}" in tensors:
                raise WeightsError(f"{path} has several {parameter}s for {layer}: it is no VGG of Keras")
            tensors[f"{layer}.{parameter}"] = torch.from_numpy(item[()])

    try:
        with h5py.File(path, "r") as file:
            file.visititems(add)  # which follows no links to other files
    except (OSError, RuntimeError, KeyError) as error:
        raise WeightsError(f"{path} is truncated, or no HDF5 file that can be read: {error}") from error
    return tensors


class KerasVGG(WeightSource):
    """``blockS_convI``, ``fc1``, ``fc2`` and ``predictions``, converted from Caffe: BGR input.

    Kernels are stored (k, k, in, out), and fc1 looks at a map flattened in the order height, width, channels.
    """

    name = "Keras VGG"

    def recognises(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether there is a first convolution of Keras."""
        return "block1_conv1.kernel" in tensors

    def reference_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See :meth:`WeightSource.reference_names`."""
        first = tuple(tensors["block1_conv1.kernel"].shape)
        if len(first) != 4 or first[0] != first[1]:
            raise WeightsError(f"block1_conv1 has a kernel of {first}: expected TensorFlow's order (k, k, in, out)")
        renamed = {}
        for key, tensor in tensors.items():
            layer, _, parameter = key.partition(".")
            layer = LAYER_NAMES.get(layer) or re.sub(r"^block(\d)_conv(\d)$", r"conv\1_\2", layer)
            if parameter == "kernel" and tensor.ndim == 4:
                tensor = tensor.permute(3, 2, 0, 1).contiguous()
            elif parameter == "kernel":
                tensor = tensor.T.contiguous()
            renamed[f"{layer}.{'weight' if parameter == 'kernel' else parameter}"] = tensor
        if "fc6.weight" in renamed:
            channels = last_channels(renamed)
            renamed["fc6.weight"] = as_convolution("fc1", renamed["fc6.weight"], channels, channels_last=True)
        return renamed

    def meta(self, tensors: Mapping[str, Tensor], checksums: Mapping[str, str]) -> dict:
        """See :meth:`WeightSource.meta`."""
        return dict(preprocessing=dict(CAFFE))
