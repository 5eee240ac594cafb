"""Reading checkpoints without running code from them."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from ..utils.torch_versions import FORCE_SAFE, load_plain
from .errors import WeightsError
from .safetensors_file import is_safetensors, read_safetensors


def forbid_unsafe_loading() -> None:
    """Make every ``torch.load`` of this process refuse a file that would run code.

    The toolbox first tries to load safely, but falls back to running whatever the file says.
    """
    os.environ[FORCE_SAFE] = "1"


def _types_by_name() -> dict[str, Callable]:
    """What a checkpoint of the toolbox holds beside tensors, by the name in its file.

    That is the log's HistoryBuffers and, after a validation, numpy scalars and their dtype classes.
    """
    dtypes = [getattr(np.dtypes, name) for name in np.dtypes.__all__]
    types = [HistoryBuffer, np.ndarray, np.dtype, *dtypes]
    functions = [np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]]
    return {
        **{f"{kind.__module__}.{kind.__qualname__}": kind for kind in types},
        # saved by numpy 2 or numpy 1, wherever this one has them
        **{f"numpy.{core}.multiarray.{call.__name__}": call for core in ("_core", "core") for call in functions},
        "builtins.getattr": _buffer_method,
    }


def _buffer_method(owner: type, name: str) -> Callable:
    """Stand-in for ``getattr``, by which a HistoryBuffer's statistics are pickled; it returns nothing else."""
    if owner is not HistoryBuffer or name.startswith("_"):
        raise pickle.UnpicklingError(f"the file asks for the attribute {name} of {owner}")
    return getattr(owner, name)


def load_safely(path: Path, map_location: object = "cpu", mmap: bool = False) -> object:
    """Load what a file of PyTorch or of safetensors holds, without running anything of it.

    Args:
        path (Path): of the file.
        map_location (str | torch.device | Callable): where tensors go, as for ``torch.load``.
        mmap (bool): leave tensors in the file, where it is of a format that can be.

    Raises:
        WeightsError: if the file is truncated, or holds other than plain data.
    """
    if is_safetensors(path):
        return read_safetensors(path, map_location)
    try:
        return _load(path, map_location, mmap)
    except Exception as error:  # a damaged pickle leads to errors of many kinds
        if asked := re.search(r"GLOBAL (\S+)", str(error)):
            reason = f"the file asks for {asked[1]}"
        else:
            reason = str(error).split("WeightsUnpickler error: ")[-1].split("\n")[0].split(". ")[0] or repr(error)
        raise WeightsError(f"{path} is truncated, or not a checkpoint that can be loaded safely: {reason}") from error


def read_checkpoint(path: str | os.PathLike) -> dict:
    """Load a checkpoint's contents, tensors memory-mapped from the file.

    Returns:
        dict: with at least ``state_dict``; a bare state dict is wrapped.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: if the file is truncated, holds other than plain data, or is not a checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    checkpoint = load_safely(path, mmap=True)
    if isinstance(checkpoint, dict) and "model_state_dict" in checkpoint:  # saved by pytorch-fcn's trainer
        checkpoint["state_dict"] = checkpoint.pop("model_state_dict")
    if isinstance(checkpoint, dict) and "state_dict" not in checkpoint:
        checkpoint = dict(state_dict=checkpoint)
    state_dict = checkpoint["state_dict"] if isinstance(checkpoint, dict) else None
    tensors = state_dict.values() if isinstance(state_dict, dict) else ()
    if not tensors or not all(isinstance(value, torch.Tensor) for value in tensors):
        raise WeightsError(f"{path} holds no weights: expected a state dict of tensors")
    if not isinstance(checkpoint.get("meta", {}), dict):
        raise WeightsError(f"{path} is damaged: its meta is no dict, but a {type(checkpoint['meta']).__name__}")
    return checkpoint


def without_config(checkpoint: dict) -> dict:
    """A checkpoint without the config in it, which is a program: the toolbox runs it as one.

    It is text in three places: ``meta['cfg']``, ``meta['config']`` and ``message_hub['runtime_info']['cfg']``.
    """
    kept, hub = dict(checkpoint), checkpoint.get("message_hub")
    if isinstance(kept.get("meta"), dict):
        kept["meta"] = {key: value for key, value in kept["meta"].items() if key not in ("cfg", "config")}
    if isinstance(hub, dict) and isinstance(hub.get("runtime_info"), dict):
        information = {key: value for key, value in hub["runtime_info"].items() if key != "cfg"}
        kept["message_hub"] = {**hub, "runtime_info": information}
    return kept


def _load(path: Path, map_location: object, mmap: bool) -> object:
    with path.open("rb") as file:
        # torch's older format cannot be memory-mapped
        options = dict(map_location=map_location, mmap=mmap and file.read(2) == b"PK")
    return load_plain(path, _types_by_name(), **options)
