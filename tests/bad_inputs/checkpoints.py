"""Checkpoints and weights that cannot be read, or are of something else."""

import json
import os
import pickle
import struct
from collections.abc import Callable

import torch
from testing import weight_files

from fcn_plugin.weights.checkpoint import read_checkpoint

from .case import Bad, Folder

TEST = "test config.py bad.pth --data-root data --work-dir work"
PREDICT = "predict data/JPEGImages config.py bad.pth --out out"
EXPORT = "export config.py bad.pth --out net.onnx"
IMPORT = "import bad.pth out.pth"


def saved(change: Callable[[dict], object], name: str = "bad.pth") -> Callable[[Folder], None]:
    """Save the config's checkpoint as another one makes it."""

    def prepare(folder: Folder) -> None:
        content = dict(read_checkpoint(folder.checkpoint))
        content["state_dict"] = dict(content["state_dict"])
        torch.save(change(content), folder.path / name)

    return prepare


def cut(share: float, name: str = "bad.pth") -> Callable[[Folder], None]:
    def prepare(folder: Folder) -> None:
        content = folder.checkpoint.read_bytes()
        (folder.path / name).write_bytes(content[: int(share * len(content))])

    return prepare


def file(name: str, content: bytes) -> Callable[[Folder], None]:
    return lambda folder: (folder.path / name).write_bytes(content)


def with_state(change: Callable[[dict], dict]) -> Callable[[Folder], None]:
    return saved(lambda content: dict(content, state_dict=change(content["state_dict"])))


def with_meta(**meta: object) -> Callable[[Folder], None]:
    return saved(lambda content: dict(content, meta=meta))


class Program:
    """Pickled, it makes a directory when it is loaded."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("trap",)


def safetensors(header: dict, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


TABLE = [
    Bad("missing", "there is no weight file bad.pth", command=TEST),
    Bad("missing-to-start-from", "there is no weight file gone.pth", options="load_from=gone.pth"),
    Bad("directory", "there is no weight file data", command="export config.py data --out net.onnx"),
    Bad("half", "bad.pth is truncated", prepare=cut(0.5), command=TEST),
    Bad("last-byte", "bad.pth is truncated", prepare=cut(0.999), command=PREDICT),
    Bad("empty", "bad.pth is empty", prepare=cut(0), command=EXPORT),
    Bad(
        "page", "bad.pth is a web page, not weights", prepare=file("bad.pth", b"<!DOCTYPE html><html>"), command=IMPORT
    ),
    Bad("picture", "bad.pth starts with b'\\xff\\xd8", prepare=file("bad.pth", b"\xff\xd8\xff\xe0" * 9), command=TEST),
    Bad("program", "the file asks for posix.mkdir", prepare=saved(lambda c: dict(c, x=Program())), command=TEST),
    Bad(
        "program-to-start-from",
        "the file asks for posix.mkdir",
        prepare=saved(lambda c: dict(c, x=Program())),
        options="load_from=bad.pth",
    ),
    Bad("program-alone", "can be loaded safely", prepare=file("bad.pth", pickle.dumps(Program())), command=IMPORT),
    Bad(
        "number",
        "bad.pth holds no weights: expected a state dict of tensors",
        prepare=saved(lambda c: 3),
        command=PREDICT,
    ),
    Bad("no-tensors", "bad.pth holds no weights", prepare=with_state(lambda s: {"a": "b"}), command=EXPORT),
    Bad("nothing-in-it", "bad.pth holds no weights", prepare=with_state(lambda s: {}), command=TEST),
    Bad(
        "meta-as-a-list",
        "bad.pth is damaged: its meta is no dict, but a list",
        prepare=saved(lambda c: dict(c, meta=[1])),
        command=TEST,
    ),
    Bad(
        "preprocessing-as-text",
        "bad.pth is damaged: meta['preprocessing'] is 'bgr'",
        prepare=with_meta(preprocessing="bgr"),
        command=TEST,
    ),
    Bad(
        "classes-as-a-number",
        "bad.pth is damaged: meta['dataset_meta'] is 6",
        prepare=with_meta(dataset_meta=6),
        command=PREDICT,
    ),
    Bad(
        "scales-as-text",
        "bad.pth is damaged: meta['skip_scales'] is 3",
        prepare=with_meta(skip_scales=3),
        command=EXPORT,
    ),
    Bad(
        "other-input",
        ("bad.pth expects RGB images", "model.data_preprocessor.bgr_to_rgb=True"),
        prepare=with_meta(preprocessing=dict(bgr_to_rgb=True, mean=[0.0] * 3, std=[1.0] * 3)),
        command=TEST,
    ),
    Bad(
        "other-network",
        "bad.pth holds layer1.0.weight: expected the names of",
        prepare=with_state(lambda s: {"layer1.0.weight": torch.zeros(3)}),
        command=TEST,
    ),
    Bad(
        "missing-weights",
        ("the checkpoint does not fit the config", "missing: backbone.conv1_1.weight"),
        prepare=with_state(lambda s: {k: v for k, v in s.items() if k != "backbone.conv1_1.weight"}),
        command=TEST,
    ),
    Bad(
        "left-over-weights",
        ("the checkpoint does not fit the config", "unknown: decode_head.more"),
        prepare=with_state(lambda s: {**s, "decode_head.more": torch.zeros(1)}),
        command=EXPORT,
    ),
    Bad(
        "other-shape",
        ("the checkpoint does not fit the config", "of another shape: neck.fc7.bias (3,) for (8,)"),
        prepare=with_state(lambda s: {**s, "neck.fc7.bias": torch.zeros(3)}),
        command=PREDICT,
    ),
    Bad(
        "other-classes",
        "the checkpoint has 6 classes, the config 4",
        options="model.decode_head.num_classes=4",
        command="export config.py {checkpoint} --out net.onnx",
    ),
    Bad(
        "classifier",
        "the checkpoint does not fit the config",
        prepare=lambda folder: torch.save(
            weight_files.torchvision_names(weight_files.reference_weights()), folder.path / "bad.pth"
        ),
        command=TEST,
    ),
    Bad(
        "truncated-to-start-from",
        ("the pretrained weights of backbone: bad.pth is truncated", "give others with --cfg-options"),
        prepare=cut(0.5),
        config="model = dict(backbone=dict(init_cfg=dict(_delete_=True, type='Pretrained', checkpoint='bad.pth')))",
    ),
    Bad(
        "address",
        "could not be downloaded",
        command="test config.py http://127.0.0.1:9/net.pth --data-root data --work-dir work",
    ),
    Bad(
        "scheme",
        "s3://bucket/net.pth: expected a path, http://",
        command="predict data/JPEGImages config.py s3://bucket/net.pth --out out",
    ),
    Bad("zoo", "mmcls:// has no model 'vgg15'", command="import mmcls://vgg15 out.pth"),
    Bad(
        "keras",
        "is truncated, or no HDF5 file",
        prepare=file("bad.h5", b"\x89HDF\r\n\x1a\n" + b"x" * 90),
        command="import bad.h5 out.pth",
    ),
    Bad(
        "caffe",
        "bad.caffemodel",
        prepare=file("bad.caffemodel", b"\x0a\xff\xff\xff"),
        command="import bad.caffemodel out.pth",
    ),
    Bad(
        "safetensors-empty",
        "bad.safetensors is truncated",
        prepare=file("bad.safetensors", b""),
        command="import bad.safetensors out.pth",
    ),
    Bad(
        "safetensors-header",
        "bad.safetensors is truncated",
        prepare=file("bad.safetensors", struct.pack("<Q", 2**60) + b"{}"),
        command="test config.py bad.safetensors --data-root data --work-dir work",
    ),
    Bad(
        "safetensors-offsets",
        "bad.safetensors is truncated",
        prepare=file(
            "bad.safetensors", safetensors({"a": dict(dtype="F32", shape=[9], data_offsets=[0, 36])}, b"x" * 8)
        ),
        command="export config.py bad.safetensors --out net.onnx",
    ),
    Bad(
        "safetensors-other-network",
        "bad.safetensors holds a: expected the names of",
        prepare=file(
            "bad.safetensors", safetensors({"a": dict(dtype="F32", shape=[1], data_offsets=[0, 4])}, b"x" * 4)
        ),
        command="predict data/JPEGImages config.py bad.safetensors --out out",
    ),
    Bad("out-exists", "config.py exists already: give another name", command="import {checkpoint} config.py"),
    Bad(
        "out-nowhere",
        "there is no directory nowhere to write out.safetensors to",
        command="import {checkpoint} nowhere/out.safetensors",
    ),
    Bad(
        "heat-map-of-a-broken-file",
        "bad.pth is truncated",
        prepare=cut(0.3),
        command="heat-map bad.pth data/JPEGImages/train_00000.jpg --out map.png",
    ),
]
