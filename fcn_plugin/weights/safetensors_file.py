"""Files of safetensors: tensors and texts, no code by design."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from .errors import WeightsError

SUFFIX = ".safetensors"


def is_safetensors(path: Path) -> bool:
    """Whether a file is of this format, by its content: the length of a JSON object, and its brace.

    By its name as well, so that a damaged one is not taken for another format.
    """
    with path.open("rb") as file:
        start = file.read(9)
    return path.suffix == SUFFIX or (start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] < path.stat().st_size)


def read_safetensors(path: Path, map_location: str | torch.device | Callable = "cpu") -> dict:
    """Read a file, as a checkpoint.

    Args:
        path (Path): of the file.
        map_location (str | torch.device | Callable): the device to load to; a function is not asked, tensors stay on
            the CPU.

    Returns:
        dict: ``state_dict``, and ``meta``, what can be read as JSON of the texts in the file.

    Raises:
        WeightsError: if the package is not installed, or the file is truncated or damaged.
    """
    safetensors = _import(path)
    device = "cpu" if callable(map_location) or map_location is None else str(map_location)
    try:
        with safetensors.safe_open(str(path), framework="pt", device=device) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            texts = file.metadata() or {}
    except Exception as error:  # those of a damaged header are of several kinds
        reason = str(error).split("\n")[0]
        raise WeightsError(f"{path} is truncated, or no safetensors file that can be read: {reason}") from error
    meta = {}
    for name, text in texts.items():
        try:
            meta[name] = json.loads(text)
        except ValueError:  # a text of another project
            continue
    return dict(state_dict=tensors, meta=meta)


def write_safetensors(checkpoint: Mapping, path: Path) -> None:
    """Write ``state_dict`` and ``meta`` of a checkpoint, each entry of the latter as JSON.

    Raises:
        WeightsError: if the package is not installed.
    """
    _import(path)
    from safetensors.torch import save_file

    # the format has no tensors that share memory
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in checkpoint["state_dict"].items()}
    texts = {name: json.dumps(value, default=_as_list) for name, value in checkpoint["meta"].items()}
    save_file(tensors, path, metadata={"format": "pt", **texts})


def _as_list(value: object) -> list:
    if isinstance(value, (np.ndarray, np.generic, torch.Tensor)):
        return value.tolist()
    raise TypeError(f"{value!r} cannot be written as JSON")


def _import(path: Path) -> ModuleType:
    try:
        import safetensors
    except ImportError as error:
        raise WeightsError(f'{path} needs safetensors: run pip install "fcn_plugin[weights]"') from error
    return safetensors
