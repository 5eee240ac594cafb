import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from fcn_plugin.engine import precision
from fcn_plugin.engine.precision import set_precision

SGD = dict(type="SGD", lr=1e-3, fused=True)


def config(**settings):
    wrapper = dict(type="OptimWrapper", optimizer=dict(SGD))
    return Config(dict(optim_wrapper=wrapper, val_cfg=dict(type="ValLoop"), test_cfg=dict(type="TestLoop"), **settings))


def device(monkeypatch, name, bfloat16):
    monkeypatch.setattr(precision, "get_device", lambda: name)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bfloat16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0) if bfloat16 else (7, 5))
    monkeypatch.setattr(precision, "cpu_computes_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(precision, "set_autocast_dtype", lambda *args: chosen.append(args))
    chosen = []
    return chosen


@pytest.mark.parametrize("name", ["cpu", "cuda"])
@pytest.mark.parametrize("wanted, wrapper, bfloat16, mixed", [
    ("auto", "OptimWrapper", True, True), ("auto", "OptimWrapper", False, False),
    ("bfloat16", "OptimWrapper", True, True),
    ("float32", "OptimWrapper", True, False), (None, "OptimWrapper", True, False),
    ("float32", "AmpOptimWrapper", True, True), (None, "AmpOptimWrapper", True, True),
    ("auto", "BF16OptimWrapper", True, True), ("auto", OptimWrapper, True, True),
])  # fmt: skip
def test_precision_of_training_and_of_both_loops(monkeypatch, name, wanted, wrapper, bfloat16, mixed):
    """The toolbox's AmpOptimWrapper, as its --amp sets it, means the same."""
    chosen = device(monkeypatch, name, bfloat16)
    cfg = config(**({} if wanted is None else dict(precision=wanted)))
    cfg.optim_wrapper.update(type=wrapper, **(dict(loss_scale="dynamic") if wrapper == "AmpOptimWrapper" else {}))
    said = set_precision(cfg)
    assert cfg.optim_wrapper == dict(type="BF16OptimWrapper" if mixed else wrapper, optimizer=SGD)
    assert cfg.val_cfg.get("fp16", False) == cfg.test_cfg.get("fp16", False) == mixed
    assert said.startswith("bfloat16" if mixed else "float32")
    assert chosen == ([(name, torch.bfloat16)] if mixed else [])


def test_gpus_without_bfloat16_have_float16_with_loss_scaling(monkeypatch):
    """And an optimizer that skips the steps whose gradients overflowed."""
    chosen = device(monkeypatch, "cuda", False)
    cfg = config(precision="bfloat16")
    assert set_precision(cfg).startswith("float16")
    optimizer = {key: value for key, value in SGD.items() if key != "fused"}
    assert cfg.optim_wrapper == dict(type="AmpOptimWrapper", loss_scale="dynamic", optimizer=optimizer)
    assert "fp16" not in cfg.val_cfg and not chosen


@pytest.mark.parametrize(
    "settings, name", [(dict(type="ApexOptimWrapper"), "Apex"), (dict(type="AmpOptimWrapper", dtype="float16"), "Amp")]
)
def test_other_wrappers_are_left_alone_unless_asked(monkeypatch, settings, name):
    device(monkeypatch, "cpu", True)
    cfg = config(precision="auto")
    cfg.optim_wrapper.update(settings)
    assert set_precision(cfg) == f"as {name}OptimWrapper has it"
    assert cfg.optim_wrapper == dict(settings, optimizer=SGD)
    cfg.precision = "bfloat16"
    with pytest.raises(ValueError, match=f"works with optim_wrapper.type='OptimWrapper', got '{name}OptimWrapper'"):
        set_precision(cfg)


def test_unknown_precision():
    with pytest.raises(ValueError, match="precision must be one of auto, float32, bfloat16, got 'fp8'"):
        set_precision(config(precision="fp8"))


def test_this_cpu():
    """As the system has it, whether or not this PyTorch tells."""
    with open("/proc/cpuinfo") as cpuinfo:
        flags = next((line.split() for line in cpuinfo if line.startswith(("flags", "Features"))), [])
    assert precision.computes_bfloat16() == bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags))


@pytest.mark.parametrize("settings", [dict(precision="bfloat16"), dict(optim_wrapper=dict(type="AmpOptimWrapper"))])
def test_devices_without_mixed_precision(monkeypatch, settings):
    """'auto' is float32 there, whatever the processor can do."""
    device(monkeypatch, "mps", True)
    cfg = config(precision="auto")
    assert set_precision(cfg) == "float32" and cfg.optim_wrapper.type == "OptimWrapper" and "fp16" not in cfg.val_cfg
    cfg.merge_from_dict(settings)
    with pytest.raises(ValueError, match="^mixed precision is for CPUs and CUDA, not for mps: set precision='float32'"):
        set_precision(cfg)
