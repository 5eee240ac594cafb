from dataclasses import replace

import pytest
import torch
from testing.utils import ROOT

from fcn_plugin.benchmark import setting as module
from fcn_plugin.benchmark.setting import Setting, check_setting, has_bf16


@pytest.fixture
def setting(config):
    return Setting(config, shape=(20, 30))


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(shape=(0, 5)), "height, width and batch must be 1 or more, got 0, 5, 1"),
        (dict(shape=(5, -1)), "height, width and batch must be 1 or more, got 5, -1, 1"),
        (dict(batch=0), "height, width and batch must be 1 or more, got 20, 30, 0"),
        (dict(threads=0), "the number of threads must be 1 or more, got 0"),
        (dict(width=0.0), "the width must be more than 0, got 0.0"),
        (dict(width=0.5, peer="torchfcn"), "torchfcn has one width: leave out --width 0.5, or --peer"),
    ],
)
def test_values_out_of_range(setting, stub_peer, change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_setting(replace(setting, **change))


def test_configs_that_cannot_be_measured(setting):
    with pytest.raises(FileNotFoundError, match="there is no config none.py"):
        check_setting(replace(setting, config="none.py"))
    with pytest.raises(ValueError, match="has no optim_wrapper"):
        check_setting(replace(setting, config=str(ROOT / "configs/_base_/models/fcn_vgg16.py")))
    with pytest.raises(ValueError, match="the width can be set of FCNVGG"):
        check_setting(replace(setting, config=str(ROOT / "configs/fcn8s_r50_camvid.py"), width=0.1))


def test_devices(setting, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="there is no CUDA device: use --device cpu"):
        check_setting(replace(setting, device="cuda"))


def test_number_formats(setting, monkeypatch):
    monkeypatch.setattr(module, "has_bf16", lambda device: False)
    assert check_setting(setting) == check_setting(setting, ["fp32", "fp32"]) == ["fp32"]
    with pytest.raises(ValueError, match="this cpu device does not compute in bfloat16: use --dtype fp32"):
        check_setting(setting, ["fp32", "bf16"])
    monkeypatch.setattr(module, "has_bf16", lambda device: True)
    assert check_setting(setting) == ["fp32", "bf16"]
    assert check_setting(setting, ["bf16"]) == ["bf16"]


def test_what_a_device_has(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert has_bf16("cuda") is False
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert has_bf16("cpu") is False


def test_peer(setting, stub_peer):
    assert setting.peer_side is None and replace(setting, peer="torchfcn").peer_side == "torchfcn fp32"
    assert check_setting(replace(setting, peer="torchfcn"), ["fp32"]) == ["fp32"]
    other = str(ROOT / "configs/fcn32s_vgg16_voc.py")  # which is wider than this peer
    with pytest.raises(ValueError, match="torchfcn's FCN32s is not the config's network: backbone.conv1_1.bias"):
        check_setting(replace(setting, config=other, peer="torchfcn"), ["fp32"])
