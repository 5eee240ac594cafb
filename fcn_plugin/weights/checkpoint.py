"""Reading checkpoints without running code from them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


class WeightsError(ValueError):
    """Weights that cannot be read, or do not fit the model."""


def forbid_unsafe_loading() -> None:
    """Make every ``torch.load`` of this process refuse a file that would run code.

    The toolbox first tries to load safely, but falls back to running whatever the file says.
    """
    allow_checkpoint_types()
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"


def allow_checkpoint_types() -> None:
    """Let ``torch.load(weights_only=True)`` accept what the toolbox itself saves, and nothing that runs code.

    A checkpoint holds the log's HistoryBuffers and, after a validation, numpy scalars and their dtype classes.
    """
    dtypes = [getattr(np.dtypes, name) for name in np.dtypes.__all__]
    torch.serialization.add_safe_globals([HistoryBuffer, np.ndarray, np.dtype, *dtypes])
    for function in (np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]):  # where numpy 1 or numpy 2 has them
        for package in ("numpy._core", "numpy.core"):  # saved by numpy 2 or numpy 1
            name = f"{package}.multiarray.{function.__name__}"
            torch.serialization.add_safe_globals([(function, name)])
    torch.serialization.add_safe_globals([(_buffer_method, "builtins.getattr")])


def _buffer_method(owner: type, name: str) -> Callable:
    """Stand-in for ``getattr``, by which a HistoryBuffer's statistics are pickled; it gives away nothing else."""
    if owner is not HistoryBuffer or name.startswith("_"):
        raise pickle.UnpicklingError(f"the file asks for the attribute {name} of {owner}")
    return getattr(owner, name)


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
    allow_checkpoint_types()
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except Exception as error:  # a damaged pickle leads to errors of many kinds
        reason = str(error).split("WeightsUnpickler error: ")[-1].split("\n")[0].split(". ")[0] or repr(error)
        raise WeightsError(f"{path} is truncated, or not a checkpoint that can be loaded safely: {reason}") from error
    if isinstance(checkpoint, dict) and "model_state_dict" in checkpoint:  # saved by pytorch-fcn's trainer
        checkpoint["state_dict"] = checkpoint.pop("model_state_dict")
    if isinstance(checkpoint, dict) and "state_dict" not in checkpoint:
        checkpoint = dict(state_dict=checkpoint)
    state_dict = checkpoint["state_dict"] if isinstance(checkpoint, dict) else None
    tensors = state_dict.values() if isinstance(state_dict, dict) else ()
    if not tensors or not all(isinstance(value, torch.Tensor) for value in tensors):
        raise WeightsError(f"{path} holds no weights: expected a state dict of tensors")
    return checkpoint


def _is_zip(path: Path) -> bool:
    """Whether the file has torch's current (zip) format; the older one cannot be memory-mapped."""
    with path.open("rb") as file:
        return file.read(2) == b"PK"
