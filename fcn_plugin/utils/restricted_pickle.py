"""Loading by a pickle of one's own, for PyTorch before 2.6 (see :mod:`.torch_versions`)."""

from __future__ import annotations

import builtins
import collections
import pickle
from _codecs import encode
from collections.abc import Mapping
from typing import BinaryIO

import torch
from torch._weights_only_unpickler import _get_allowed_globals

#: What newer versions of PyTorch find safe as well; older pickles spell bytes by ``encode``.
SAFE_SINCE = {
    "_codecs.encode": encode,
    "collections.Counter": collections.Counter,
    **{f"builtins.{name}": getattr(builtins, name) for name in ("bytearray", "complex", "set")},
    **{str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)},
    "torch.device": torch.device,
}


class RestrictedPickle:
    """A module for ``torch.load(pickle_module=...)`` that finds PyTorch's own safe names and given ones, nothing else.

    Args:
        types (Mapping[str, object]): what else may be in a file, by its full name there.
    """

    __name__ = "pickle"

    def __init__(self, types: Mapping[str, object]) -> None:
        allowed = {**SAFE_SINCE, **_get_allowed_globals(), **types}

        class Unpickler(pickle.Unpickler):
            def find_class(self, module: str, name: str) -> object:
                full_name = f"{'builtins' if module == '__builtin__' else module}.{name}"  # saved by Python 2's name
                if full_name not in allowed:
                    raise pickle.UnpicklingError(f"the file asks for {full_name}")
                return allowed[full_name]

        self.Unpickler = Unpickler

    def load(self, file: BinaryIO, **options: object) -> object:
        """Read one pickle."""
        return self.Unpickler(file, **options).load()
