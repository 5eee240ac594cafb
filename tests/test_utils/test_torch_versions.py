"""What older versions of PyTorch do not have; by what this one has, and as the older one has it."""

import ast
import importlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import torch
from testing.utils import ROOT

from fcn_plugin.utils import torch_versions

#: Names that PyTorch 2.1 does not have, all used in one file.
NEWER = ("get_capabilities", "set_autocast_dtype", "get_autocast_dtype", "DYNAMIC")


@contextmanager
def as_of_2_1() -> Iterator[None]:
    """PyTorch as 2.1 has it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
        for name in NEWER[1:3]:
            monkeypatch.delattr(torch, name, raising=False)
        yield


VERSIONS = pytest.mark.parametrize("version", [nullcontext, as_of_2_1])


@pytest.mark.parametrize("flags, expected", [("fpu avx512_bf16", True), ("fp asimd bf16", True), ("fpu avx2", False)])
def test_flags_of_the_processor(flags, expected, monkeypatch, tmp_path):
    """Where PyTorch does not tell; False where Linux does not, either."""
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr(torch_versions, "CPUINFO", cpuinfo)
    assert not torch_versions.cpu_computes_bfloat16()
    cpuinfo.write_text(f"processor : 0\nflags : {flags}\n\nprocessor : 1\n")
    assert torch_versions.cpu_computes_bfloat16() == expected


@pytest.mark.parametrize("capabilities", [dict(amx_bf16=True), dict(arm_bf16=True), dict(avx2=True)])
def test_capabilities(capabilities, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert torch_versions.cpu_computes_bfloat16() == ("avx2" not in capabilities)


@VERSIONS
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_autocast(version, device):
    dtype = torch.bfloat16
    with version():
        before = torch_versions.get_autocast_dtype(device)
        torch_versions.set_autocast_dtype(device, dtype)
        try:
            assert torch_versions.get_autocast_dtype(device) == dtype
            assert device == "cpu" or torch.get_autocast_gpu_dtype() == dtype
        finally:
            torch_versions.set_autocast_dtype(device, before)
    assert torch_versions.get_autocast_dtype(device) == before == (dtype if device == "cpu" else torch.float16)


@VERSIONS
def test_whether_autocast_is_on(version):
    with torch.autocast("cpu", torch.bfloat16), version():  # in this order: the first asks by the newer names
        assert torch_versions.is_autocast_enabled("cpu") and not torch_versions.is_autocast_enabled("cuda")


def test_without_autocast():
    with torch.autocast("cpu", torch.bfloat16), torch_versions.without_autocast("cpu"):
        assert not torch_versions.is_autocast_enabled("cpu")


def test_a_device_without_autocast(monkeypatch):
    """MPS before 2.5: nothing is to be switched off."""

    def autocast(device: str, enabled: bool) -> None:
        raise RuntimeError(f"User specified an unsupported autocast device_type '{device}'")

    monkeypatch.setattr(torch, "autocast", autocast)
    with torch_versions.without_autocast("mps"):
        assert torch.ones(2).sum() == 2


class WithoutFused(torch.optim.SGD):
    """As SGD before 2.3."""

    def __init__(self, params, lr) -> None:
        super().__init__(params, lr)


class FusedOnCUDA(torch.optim.SGD):
    """As before 2.4."""

    def __init__(self, params, lr, fused) -> None:
        raise RuntimeError("`fused=True` requires all the params to be CUDA")


class Fused(torch.optim.SGD):
    def __init__(self, params, lr, fused) -> None:
        super().__init__(params, lr)


@pytest.mark.parametrize("optimizer, devices", [(WithoutFused, []), (FusedOnCUDA, ["cuda"]), (Fused, ["cpu", "cuda"])])
def test_fused_optimizers(optimizer, devices):
    assert [one for one in ("cpu", "cuda", "mps") if torch_versions.has_fused(optimizer, one)] == devices


def test_what_needs_a_newer_one(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.8.0+cu121")
    torch_versions.require("2.8", "this")
    message = r"^a file for images of any size needs PyTorch 2.11 or newer, but 2.8.0\+cu121 is installed$"
    with pytest.raises(ValueError, match=message):
        torch_versions.require("2.11", "a file for images of any size")


def torch_names(source: str) -> set[str]:
    """Names of PyTorch that a source uses, in full."""
    tree, known, found = ast.parse(source), {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias for alias in node.names if alias.name.split(".")[0] == "torch"]
            known.update({alias.asname or "torch": alias.name if alias.asname else "torch" for alias in names})
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch" and not node.level:
            known.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    found.update(known.values())
    for node in ast.walk(tree):
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if parts and isinstance(node, ast.Name) and node.id in known:
            found.add(".".join([known[node.id], *reversed(parts)]))
    return found


def exists(name: str) -> bool:
    """Whether this PyTorch has a name; what is behind a class or function is not looked at."""
    value, path = torch, "torch"
    for part in name.split(".")[1:]:
        path = f"{path}.{part}"
        try:
            value = getattr(value, part) if hasattr(value, part) else importlib.import_module(path)
        except ImportError:
            return False
    return True


def test_this_pytorch_has_all_names_in_use():
    """What it has not, like what 2.1 has not, stands in one file."""
    used: dict[str, Path] = {}
    for file in [*(ROOT / "fcn_plugin").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]:
        if file.name != "torch_versions.py":
            used.update(dict.fromkeys(torch_names(file.read_text()), file))
    assert len(used) > 100 and "torch.nn.functional.conv2d" in used
    assert {name: str(file) for name, file in used.items() if not exists(name)} == {}
    assert {name for name in used if name.split(".")[-1] in NEWER} == set()
    everywhere = torch_names((ROOT / "fcn_plugin/utils/torch_versions.py").read_text())
    assert {name.split(".")[-1] for name in everywhere} >= set(NEWER)
