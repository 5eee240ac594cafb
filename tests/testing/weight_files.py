"""Small weight files in the formats of the published ones, written here independently of their readers.

The network is a narrow VGG, CaffeNet or GoogLeNet; ``reference_weights`` gives VGG's tensors under the reference's
layer names, and each ``write_*`` stores them in one format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from testing.utils import FC7, POOL3, POOL4, POOL5, WIDTH

#: Convolutions in the five stages, and channels of each stage: FCNVGG at ``utils.WIDTH``.
STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (3, 6, POOL3, POOL4, POOL5)
FC, CLASSES = FC7, 10
#: Convolutions of an inception module, and their channels in each module of GoogLeNet.
BRANCHES = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def conv_names(depth: int) -> list[str]:
    return [f"conv{s}_{i}" for s, number in enumerate(STAGES[depth], 1) for i in range(1, number + 1)]


def reference_weights(depth: int = 16, classifier: bool = True, batch_norm: bool = False) -> dict[str, Tensor]:
    """Random weights of a narrow VGG: convolutions, and fc6 (7x7), fc7 and fc8 as convolutions."""
    random = torch.Generator().manual_seed(depth)
    tensors, channels = {}, 3
    for name in conv_names(depth):
        planes = CHANNELS[int(name[4]) - 1]
        tensors[f"{name}.weight"] = torch.randn(planes, channels, 3, 3, generator=random)
        tensors[f"{name}.bias"] = torch.randn(planes, generator=random)
        if batch_norm:
            for key in ("weight", "bias", "running_mean", "running_var"):
                tensors[f"{name.replace('conv', 'bn')}.{key}"] = torch.rand(planes, generator=random)
            tensors[f"{name.replace('conv', 'bn')}.num_batches_tracked"] = torch.tensor(depth)
        channels = planes
    if classifier:
        for name, shape in (("fc6", (FC, channels, 7, 7)), ("fc7", (FC, FC, 1, 1)), ("fc8", (CLASSES, FC, 1, 1))):
            tensors[f"{name}.weight"] = torch.randn(shape, generator=random)
            tensors[f"{name}.bias"] = torch.randn(shape[0], generator=random)
    return tensors


def fcn_weights(skips: Iterable[int], classes: int = 21) -> dict[str, Tensor]:
    """Those of an FCN on the narrow VGG16 with skips from these poolings, coarse to fine; dense bilinear upsampling."""
    random = torch.Generator().manual_seed(1)
    tensors = {key: value for key, value in reference_weights().items() if not key.startswith("fc8")}
    scores = [("score_fr", FC), *((f"score_pool{skip}", CHANNELS[skip - 1]) for skip in skips)]
    for name, channels in scores:
        tensors[f"{name}.weight"] = torch.randn(classes, channels, 1, 1, generator=random)
        tensors[f"{name}.bias"] = torch.randn(classes, generator=random)
    names = [["upscore"], ["upscore2", "upscore16"], ["upscore2", "upscore_pool4", "upscore8"]][len(scores) - 1]
    for name, factor in zip(names, [2] * (len(names) - 1) + [2 ** (6 - len(scores))]):
        line = 1 - (torch.arange(2 * factor) - (factor - 0.5)).abs() / factor
        tensors[f"{name}.weight"] = torch.eye(classes)[..., None, None] * torch.outer(line, line)
    return tensors


def googlenet_weights() -> dict[str, Tensor]:
    """GoogLeNet at ``utils.WIDTH`` as in bvlc_googlenet, with the three classifiers of its training."""
    random = torch.Generator().manual_seed(3)
    first, inputs = max(1, round(64 * WIDTH)), max(1, round(192 * WIDTH))
    shapes = {"conv1/7x7_s2": (first, 3, 7, 7), "conv2/3x3_reduce": (first, first, 1, 1)}
    shapes["conv2/3x3"] = (inputs, first, 3, 3)
    for name, channels in INCEPTIONS.items():
        numbers = dict(zip(BRANCHES, (max(1, round(number * WIDTH)) for number in channels)))
        for branch, number in numbers.items():
            kernel = 1 if branch not in ("3x3", "5x5") else int(branch[0])
            shapes[f"inception_{name}/{branch}"] = (number, numbers.get(f"{branch}_reduce", inputs), kernel, kernel)
        inputs = sum(numbers[branch] for branch in ("1x1", "3x3", "5x5", "pool_proj"))
    for number in (1, 2):
        shapes |= {f"loss{number}/conv": (5, 20, 1, 1), f"loss{number}/fc": (FC, 5 * 16)}
        shapes[f"loss{number}/classifier"] = (CLASSES, FC)
    shapes["loss3/classifier"] = (CLASSES, inputs)
    tensors = {f"{name}.weight": torch.randn(shape, generator=random) for name, shape in shapes.items()}
    return tensors | {f"{name}.bias": torch.randn(shape[0], generator=random) for name, shape in shapes.items()}


def flattened(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same with fc6, fc7 and fc8 as linear layers over (C, H, W)."""
    linear = lambda key: key[:4] in ("fc6.", "fc7.", "fc8.") and key.endswith("weight")  # noqa: E731
    return {key: value.flatten(1) if linear(key) else value for key, value in tensors.items()}


def torchvision_names(tensors: dict[str, Tensor], depth: int = 16, linears: tuple = (0, 3, 6)) -> dict[str, Tensor]:
    """As torchvision's VGG numbers its layers: convolution, (BatchNorm,) ReLU; a pooling after each stage."""
    batch_norm = any(key.startswith("bn") for key in tensors)
    named, index = {}, 0
    for stage, number in enumerate(STAGES[depth], 1):
        for i in range(1, number + 1):
            for kind in ("conv", "bn")[: 1 + batch_norm]:
                for key, value in tensors.items():
                    if key.startswith(f"{kind}{stage}_{i}."):
                        named[f"features.{index}.{key.partition('.')[2]}"] = value
                index += 1
            index += 1
        index += 1
    for key, value in flattened(tensors).items():
        if key.startswith("fc"):
            named[f"classifier.{linears[int(key[2]) - 6]}.{key[4:]}"] = value
    return named


def mmpretrain_names(tensors: dict[str, Tensor], depth: int = 16) -> dict[str, Tensor]:
    """As mmpretrain's VGG: one module for convolution, norm and activation; a pooling after each stage."""
    named, index = {}, 0
    for stage, number in enumerate(STAGES[depth], 1):
        for i in range(1, number + 1):
            for kind in ("conv", "bn"):
                for key, value in tensors.items():
                    if key.startswith(f"{kind}{stage}_{i}."):
                        named[f"backbone.features.{index}.{kind}.{key.partition('.')[2]}"] = value
            index += 1
        index += 1
    for key, value in flattened(tensors).items():
        if key.startswith("fc"):
            named[f"backbone.classifier.{3 * (int(key[2]) - 6)}.{key[4:]}"] = value
    return named


def write_keras(path: Path, tensors: dict[str, Tensor], group: str = "", style: str = "{0}_{1}_1:0") -> None:
    """As Keras's applications: a group per layer, kernels (k, k, in, out), fc1 over a map flattened as (H, W, C)."""
    import h5py

    names = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}
    with h5py.File(path, "w") as file:
        root = file.create_group(group) if group else file
        root.attrs["layer_names"] = [b"block1_conv1"]
        root.create_group("block1_pool")
        for key, value in tensors.items():
            layer, parameter = key.split(".")
            name = names.get(layer) or f"block{layer[4]}_conv{layer[6]}"
            if parameter == "weight":
                value = value.permute(2, 3, 1, 0)
                if name in names.values():
                    value = value.reshape(-1, value.shape[-1])
            dataset = style.format(name, {"weight": "W", "bias": "b"}[parameter])
            root.require_group(name).create_dataset(dataset, data=value.numpy())


def write_caffemodel(path: Path, tensors: dict[str, Tensor], generation: str = "new", network: str = "net") -> None:
    """In the wire format of protobuf, with layers of Caffe's current ('new'), 'old' (V1) or 'oldest' (V0) format.

    The old formats store each blob in four dimensions, a linear layer's as (1, 1, out, in).
    """
    layers: dict[str, list[Tensor]] = {}
    for key, value in tensors.items():
        layers.setdefault(key.split(".")[0], []).append(value)
    net = _text(1, network)
    for name, blobs in {"data": [], **layers}.items():
        encoded = [_blob(blob, generation) for blob in blobs]
        if generation == "new":
            net += _bytes(100, _text(1, name) + _text(2, "Convolution") + b"".join(_bytes(7, b) for b in encoded))
        elif generation == "old":
            net += _bytes(2, _text(4, name) + _number(5, 4) + b"".join(_bytes(6, b) for b in encoded))
        else:
            inner = _text(1, name) + _text(2, "conv") + b"".join(_bytes(50, b) for b in encoded)
            net += _bytes(2, _bytes(1, inner))
    path.write_bytes(net)


def _blob(tensor: Tensor, generation: str) -> bytes:
    shape = tuple(tensor.shape)
    data = _bytes(5, struct.pack(f"<{tensor.numel()}f", *tensor.flatten().tolist()))
    if generation == "new":
        return data + _bytes(7, _bytes(1, b"".join(map(_varint, shape))))
    shape = (1,) * (4 - len(shape)) + shape
    return b"".join(_number(field, size) for field, size in enumerate(shape, 1)) + data


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
