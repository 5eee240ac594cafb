"""What PyTorch 2.1 to 2.13 do under different names, or not at all: the one place for it.

Each entry says since when PyTorch has it. Whatever it has not is done another way, or refused by :func:`require`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch
from mmengine.utils import digit_version
from torch import nn
from torch.utils._pytree import tree_flatten

from .restricted_pickle import RestrictedPickle

#: Since 2.6, ``torch.load(weights_only=True)`` takes further types by their name in a file.
HAS_NAMED_SAFE_GLOBALS = digit_version(torch.__version__) >= digit_version("2.6")
#: Makes every ``torch.load`` a safe one.
FORCE_SAFE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
#: Where Linux tells what a processor can do.
CPUINFO = Path("/proc/cpuinfo")
#: Its flags of processors that compute in bfloat16, of x86 and ARM.
BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16", "bf16", "svebf16"}
#: ``torch.compiler.is_compiling`` (2.3): whether torch.compile or torch.export reads the code.
is_compiling = (torch.compiler if hasattr(torch.compiler, "is_compiling") else torch._utils).is_compiling


def require(version: str, what: str) -> None:
    """Refuse what this PyTorch does not do.

    Args:
        version (str): the first PyTorch that does it.
        what (str): subject of the sentence.

    Raises:
        ValueError: if this one is older.
    """
    if digit_version(torch.__version__) < digit_version(version):
        raise ValueError(f"{what} needs PyTorch {version} or newer, but {torch.__version__} is installed")


def cpu_computes_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16; False where neither PyTorch (2.11) nor Linux tells."""
    if hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16", "arm_bf16"))
    return CPUINFO.is_file() and not BFLOAT16_FLAGS.isdisjoint(CPUINFO.read_text().split())


def set_autocast_dtype(device: str, dtype: torch.dtype) -> None:
    """``torch.set_autocast_dtype`` (2.4)."""
    if hasattr(torch, "set_autocast_dtype"):
        torch.set_autocast_dtype(device, dtype)
    else:
        (torch.set_autocast_cpu_dtype if device == "cpu" else torch.set_autocast_gpu_dtype)(dtype)


def get_autocast_dtype(device: str) -> torch.dtype:
    """``torch.get_autocast_dtype`` (2.4)."""
    if hasattr(torch, "get_autocast_dtype"):
        return torch.get_autocast_dtype(device)
    return torch.get_autocast_cpu_dtype() if device == "cpu" else torch.get_autocast_gpu_dtype()


def is_autocast_enabled(device: str) -> bool:
    """``torch.is_autocast_enabled`` of a device (2.4)."""
    if hasattr(torch, "get_autocast_dtype"):  # came with the argument
        return torch.is_autocast_enabled(device)
    return torch.is_autocast_cpu_enabled() if device == "cpu" else torch.is_autocast_enabled()


def without_autocast(device: str) -> AbstractContextManager:
    """A block outside of autocast, on devices, too, that have none in this PyTorch: MPS (2.5), meta."""
    try:
        return torch.autocast(device, enabled=False)
    except RuntimeError:
        return nullcontext()


def tree_leaves(values: object) -> list:
    """``torch.utils._pytree.tree_leaves`` (2.2): what nested containers hold."""
    return tree_flatten(values)[0]


def any_length(least: int | None = None) -> object:
    """``torch.export.Dim.DYNAMIC`` (2.8 with a smallest length): a dimension of a file that is free."""
    return torch.export.Dim.DYNAMIC if least is None else torch.export.Dim.DYNAMIC(min=least)


def has_fused(optimizer: type[torch.optim.Optimizer], device: str) -> bool:
    """Whether an optimizer has a fused step on 'cpu' (2.4) or 'cuda' (SGD: 2.3); other devices are not asked."""
    if device not in ("cpu", "cuda") or "fused" not in inspect.signature(optimizer).parameters:
        return False
    try:  # no tensor on a GPU: this process may be meant for another one
        optimizer([nn.Parameter(torch.zeros(1))], lr=1.0, fused=True)
    except RuntimeError:
        return device == "cuda"
    return True


def load_plain(path: Path, types: Mapping[str, Callable], **options: object) -> object:
    """``torch.load`` without running anything of a file.

    Args:
        path (Path): the file.
        types (Mapping[str, Callable]): what may be in it beside tensors and plain data, by the name in the file; what
            is given for ``builtins.getattr`` stands in for it.
        **options: as for ``torch.load``.

    Raises:
        pickle.UnpicklingError: if it holds something else.
    """
    if HAS_NAMED_SAFE_GLOBALS:
        with safe_globals(types):
            return torch.load(str(path), weights_only=True, **options)
    forced = os.environ.pop(FORCE_SAFE, None)  # an unpickler of one's own is refused then, this one, too
    try:
        return torch.load(str(path), weights_only=False, pickle_module=RestrictedPickle(types), **options)
    finally:
        if forced is not None:
            os.environ[FORCE_SAFE] = forced


@contextmanager
def safe_globals(types: Mapping[str, Callable]) -> Iterator[None]:
    """Let ``torch.load(weights_only=True)`` accept types, by their names in a file, inside the block (2.6).

    Unlike behind ``torch.serialization.safe_globals``, what was safe before still is.
    """
    ours = {(value, name) for name, value in types.items()}
    before = set(torch.serialization.get_safe_globals())
    _set_safe_globals((before | ours) - {getattr})  # for which there is a stand-in
    try:
        yield
    finally:
        now = set(torch.serialization.get_safe_globals())  # with those of modules imported meanwhile
        _set_safe_globals((now - ours) | before)


def _set_safe_globals(values: set) -> None:
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(list(values))
