"""The networks of pytorch-fcn (PyPI ``torchfcn``), and which of them a config is."""

import importlib.util
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from unittest import mock

from torch import nn

#: The peer's classes: the modules that they are in, and the scales of their skips, fine to coarse.
CLASSES = {
    "FCN32s": ("fcn32s", []),
    "FCN16s": ("fcn16s", [1.0]),
    "FCN8s": ("fcn8s", [1.0, 1.0]),
    "FCN8sAtOnce": ("fcn8s", [1e-4, 1e-2]),
}


def peer_classes() -> dict[str, type[nn.Module]]:
    """The peer's model classes by name, without its trainer and its download helper ``fcn``; ValueError if missing."""
    spec = importlib.util.find_spec("torchfcn")
    if spec is None:
        raise ValueError("torchfcn is not installed: run `pip install --no-deps torchfcn`")
    empty = {name: ModuleType(name) for name in ("fcn", "torchfcn", "torchfcn.models")}
    empty["torchfcn.models"].__path__ = [str(Path(spec.submodule_search_locations[0], "models"))]
    with mock.patch.dict(sys.modules, empty):
        return {name: getattr(import_module(f"torchfcn.models.{file}"), name) for name, (file, _) in CLASSES.items()}


def peer_class_of(model: nn.Module) -> type[nn.Module]:
    """The peer's class for the head of a model of ours; ValueError if there is none."""
    scales = list(getattr(model.decode_head, "skip_scales", ["unknown"]))
    for name, found in peer_classes().items():
        if CLASSES[name][1] == scales:
            return found
    raise ValueError(f"torchfcn has {', '.join(CLASSES)}, but no head with skips scaled by {scales}: leave out --peer")
