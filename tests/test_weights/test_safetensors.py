"""Files of safetensors: what is written is read again, everywhere, and what is damaged is one error."""

import json
import struct
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from testing import weight_files as files

from fcn_plugin.models.necks import FCConvNeck
from fcn_plugin.weights.checkpoint import WeightsError, read_checkpoint
from fcn_plugin.weights.importing import import_weights, save_weights
from fcn_plugin.weights.layer_names import canonical

META = dict(
    source=dict(format="torchvision VGG", file="vgg16.pth", sha256="0" * 64),
    architecture="vgg16",
    preprocessing=dict(bgr_to_rgb=False, mean=[1.5, 2.0, 3.25], std=[1.0, 1.0, 1.0]),
    skip_scales=[1e-4, 1e-2],
    dataset_meta=dict(classes=["ä", "b"], palette=[[0, 1, 2], [3, 4, 5]]),
)


def fcn() -> dict:
    """Weights of an FCN-32s under canonical names."""
    return canonical(files.fcn_weights([]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_written_and_read(dtype, tmp_path):
    tensors = {key: value.to(dtype) for key, value in fcn().items()}
    path = tmp_path / "net.safetensors"
    meta = {**META, "dataset_meta": dict(classes=("ä", "b"), palette=np.arange(6).reshape(2, 3))}
    save_weights(dict(state_dict=tensors, meta=meta), path)
    read = import_weights(path)
    assert read["meta"] == META
    assert read["state_dict"].keys() == tensors.keys()
    assert all(value.dtype == dtype and torch.equal(value, tensors[key]) for key, value in read["state_dict"].items())
    assert [file.name for file in tmp_path.iterdir()] == ["net.safetensors"]
    assert load_file(path).keys() == tensors.keys()  # no private format


def test_tensors_that_share_memory(tmp_path):
    tensors = fcn()
    tensors["neck.fc7.bias"] = tensors["neck.fc6.bias"]
    save_weights(dict(state_dict=tensors, meta={}), tmp_path / "net.safetensors")
    assert torch.equal(
        read_checkpoint(tmp_path / "net.safetensors")["state_dict"]["neck.fc7.bias"], tensors["neck.fc6.bias"]
    )


def test_known_by_its_content(tmp_path):
    """Of another project, with texts that are no JSON, under any name, in an init_cfg."""
    tensors = files.torchvision_names(files.reference_weights())
    save_file(tensors, tmp_path / "vgg.bin", metadata=dict(format="pt", source="somewhere"))
    read = import_weights(tmp_path / "vgg.bin")
    assert read["meta"]["source"]["format"].startswith("torchvision")
    source = str(tmp_path / "vgg.bin")
    neck = FCConvNeck(files.CHANNELS[-1], files.FC, init_cfg=dict(type="Pretrained", checkpoint=source))
    neck.init_weights()
    assert torch.equal(neck.fc6.weight, files.reference_weights()["fc6.weight"])


def header(length: int, text: bytes = b"") -> bytes:
    return struct.pack("<Q", length) + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        header(2**60),
        header(2**40, b'{"a":1}'),
        header(7, b'{"a":1}'),
        header(3, b"{{{"),
        header(64, b"{}"),
        header(60, json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 800]}}).encode().ljust(60)),
        header(68, json.dumps({"a": {"dtype": "F32", "shape": [1 << 60], "data_offsets": [0, 8]}}).encode().ljust(68)),
    ],
)
def test_damaged(content, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="net.safetensors is (truncated|a web page)"):
        import_weights(path)


def test_truncated(tmp_path):
    path = tmp_path / "net.safetensors"
    save_weights(dict(state_dict=fcn(), meta=META), path)
    content = path.read_bytes()
    for size in range(0, len(content), len(content) // 40):
        path.write_bytes(content[:size])
        with pytest.raises(WeightsError, match="net.safetensors is truncated"):
            import_weights(path)


@pytest.mark.parametrize(
    "meta", [dict(preprocessing="no dict"), dict(skip_scales=3), dict(preprocessing=dict(mean=["x"]))]
)
def test_what_a_file_says_of_itself_is_checked(meta, tmp_path):
    """Of any format."""
    for name in ("net.safetensors", "net.pth"):
        save_weights(dict(state_dict=fcn(), meta=meta), tmp_path / name)
        with pytest.raises(WeightsError, match=rf"{name} is damaged: meta\['{next(iter(meta))}'\] is "):
            import_weights(tmp_path / name)


def test_without_the_package(tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    save_weights(dict(state_dict=fcn(), meta={}), path)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for call in (
        lambda: import_weights(path),
        lambda: save_weights(dict(state_dict={}, meta={}), tmp_path / "b.safetensors"),
    ):
        with pytest.raises(WeightsError, match=r'needs safetensors: run pip install "fcn_plugin\[weights\]"'):
            call()
    assert [file.name for file in tmp_path.iterdir()] == ["net.safetensors"]
