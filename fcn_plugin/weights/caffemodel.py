"""Caffe's ``.caffemodel``: ImageNet's VGG, CaffeNet and GoogLeNet, and the reference's own FCN releases."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..utils.text import summarize
from .checkpoint import WeightsError
from .layer_names import is_reference_name
from .preprocessing import CAFFE
from .source import WeightSource

#: The fields of ``caffe.proto`` that hold weights: number and type; '*' marks repeated ones. Packed numbers are read as
#: the bytes that they are stored as. There were three generations of layers.
MESSAGES = {
    "BlobShape": {"dim": (1, "*int64")},
    "BlobProto": {
        **{name: (number, "int32") for number, name in enumerate(("num", "channels", "height", "width"), start=1)},
        "data": (5, "*bytes"),
        "double_data": (8, "*bytes"),
        "shape": (7, "BlobShape"),
    },
    "V0LayerParameter": {"name": (1, "bytes"), "blobs": (50, "*BlobProto")},
    "V1LayerParameter": {"layer": (1, "V0LayerParameter"), "name": (4, "bytes"), "blobs": (6, "*BlobProto")},
    "LayerParameter": {"name": (1, "bytes"), "blobs": (7, "*BlobProto")},
    "NetParameter": {"layers": (2, "*V1LayerParameter"), "layer": (100, "*LayerParameter")},
}


@functools.cache
def net_parameter() -> type:
    """The protobuf class of a network, made of :data:`MESSAGES`.

    Raises:
        WeightsError: if protobuf is not installed.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError as error:
        raise WeightsError('reading a caffemodel needs protobuf: run pip install "fcn_plugin[weights]"') from error
    field_class = descriptor_pb2.FieldDescriptorProto
    package = "fcn_plugin_caffe"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    for message_name, fields in MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, (number, kind) in fields.items():
            label = field_class.LABEL_REPEATED if kind.startswith("*") else field_class.LABEL_OPTIONAL
            field = message.field.add(name=name, number=number, label=label)
            kind = kind.removeprefix("*")
            if kind in MESSAGES:
                field.type, field.type_name = field_class.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                field.type = getattr(field_class, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.NetParameter"))


def read_caffemodel(path: Path) -> dict[str, Tensor]:
    """Read the blobs of a caffemodel as ``LAYER.weight`` and ``LAYER.bias``, with their shapes.

    Raises:
        WeightsError: if protobuf is not installed, or the file is truncated or holds no layers with weights.
    """
    net = net_parameter()()
    try:
        net.ParseFromString(path.read_bytes())
    except Exception as error:  # DecodeError, but for messages above protobuf's limit of 2 GiB
        raise WeightsError(f"{path} is truncated, or no caffemodel: {error}") from error
    tensors = {}
    for name, blobs in _layers(net):
        if len(blobs) > 2:
            raise WeightsError(f"{path}: layer {name} has {len(blobs)} blobs, expected a weight and a bias")
        for parameter, blob in zip(("weight", "bias"), blobs):
            tensors[f"{name}.{parameter}"] = _tensor(blob, f"{path}: layer {name}")
    if not tensors:
        raise WeightsError(f"{path} holds no weights: it is no caffemodel, or a network definition without them")
    return tensors


def _layers(net: object) -> Iterator[tuple[str, list]]:
    """Names and blobs of the layers that have any."""
    for layer in [*net.layers, *net.layer]:
        blobs, name = layer.blobs, layer.name
        if hasattr(layer, "layer") and layer.layer.blobs:  # the oldest layers are inside another
            blobs, name = layer.layer.blobs, layer.layer.name
        if blobs:
            yield name.decode("utf-8", "replace"), list(blobs)


def _tensor(blob: object, where: str) -> Tensor:
    """A blob's numbers; the old format gives linear layers and biases leading dimensions of 1, which are dropped."""
    values = np.frombuffer(b"".join(blob.data), "<f4")
    if not values.size:
        values = np.frombuffer(b"".join(blob.double_data), "<f8").astype(np.float32)
    shape = list(blob.shape.dim) if blob.HasField("shape") else [blob.num, blob.channels, blob.height, blob.width]
    if any(size < 0 for size in shape) or math.prod(shape) != values.size:
        raise WeightsError(f"{where} has a blob of {values.size} numbers for a shape of {shape}")
    if not blob.HasField("shape") and shape[:2] == [1, 1]:
        shape = shape[3:] if shape[2] == 1 else shape[2:]
    return torch.from_numpy(values.copy()).reshape(shape)


#: Layers that the networks here do not have: the at-once release's scales, GoogLeNet's auxiliary classifiers.
UNUSED_LAYERS = re.compile(r"scale_pool\d\.\w+|loss[12]/(conv|fc|classifier)\.\w+")


class CaffeModel(WeightSource):
    """Caffe's layer names are the reference's; BGR input. The at-once release has layers that scale the skips.

    GoogLeNet's have slashes: ``inception_3a/1x1`` becomes ``inception_3a.1x1``, ``conv1/7x7_s2`` ``conv1_7x7_s2``, and
    its last classifier, ``loss3/classifier``, fc8.
    """

    name = "Caffe"

    def recognises(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether every name is a layer of the reference, or of one that is not used here."""
        return all(UNUSED_LAYERS.fullmatch(key) or is_reference_name(_without_slash(key)) for key in tensors)

    def reference_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights as they are, without slashes, the skips' scales and auxiliary classifiers."""
        return {_without_slash(key): tensor for key, tensor in tensors.items() if not UNUSED_LAYERS.fullmatch(key)}

    def meta(self, tensors: Mapping[str, Tensor], checksums: Mapping[str, str]) -> dict:
        """See :meth:`WeightSource.meta`; the scales are 1 for a skip without a layer for it.

        Raises:
            WeightsError: if a scale differs from channel to channel.
        """
        skips = sorted(key.split(".")[0].removeprefix("score_") for key in tensors if key.startswith("score_pool"))
        scales = []
        for skip in dict.fromkeys(skips):
            values = tensors.get(f"scale_{skip}.weight", torch.ones(1)).unique()
            if len(values) != 1:
                raise WeightsError(
                    f"scale_{skip} has {len(values)} different values ({summarize(list(map(str, values)))})"
                )
            scales.append(float(f"{values.item():.6g}"))
        return dict(preprocessing=dict(CAFFE), **(dict(skip_scales=scales) if "score_fr.weight" in tensors else {}))


def _without_slash(key: str) -> str:
    key = re.sub(r"^loss3/classifier\.", "fc8.", key)
    return re.sub(r"^(inception_\d\w)/", r"\1.", key).replace("/", "_")
