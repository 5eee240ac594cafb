"""The networks of pytorch-fcn (PyPI ``torchfcn``), and which of them a config is."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.config import Config
from torch import Tensor, nn

from ..checks.model import check_model
from ..geometry.backbones import component_class
from ..models.decode_heads.fcn_skip_head import FCNSkipHead
from ..weights.importing import canonical_weights
from .model import randomise

#: The peer's classes and the modules that they are in.
MODULES = {"FCN32s": "fcn32s", "FCN16s": "fcn16s", "FCN8s": "fcn8s", "FCN8sAtOnce": "fcn8s"}
#: Scales of the skips, fine to coarse, by class.
SKIP_SCALES = {"FCN32s": [], "FCN16s": [1.0], "FCN8s": [1.0, 1.0], "FCN8sAtOnce": [1e-4, 1e-2]}


def peer_classes() -> dict[str, type[nn.Module]]:
    """The peer's model classes by name, imported without its trainer and its download helper ``fcn``.

    Raises:
        ValueError: if the peer is not installed.
    """
    spec = importlib.util.find_spec("torchfcn")
    if spec is None:
        raise ValueError("torchfcn is not installed: run `pip install --no-deps torchfcn`")
    root = Path(spec.submodule_search_locations[0])
    with _replaced(fcn=[], torchfcn=[root], **{"torchfcn.models": [root / "models"]}):
        return {
            name: getattr(importlib.import_module(f"torchfcn.models.{module}"), name)
            for name, module in MODULES.items()
        }


@contextmanager
def _replaced(**packages: list[Path]) -> Iterator[None]:
    """Stand in for packages by empty ones that look for their modules in the given folders."""

    def taken() -> dict[str, types.ModuleType]:
        names = [name for name in sys.modules if name.partition(".")[0] in packages]
        return {name: sys.modules.pop(name) for name in names}

    before = taken()
    try:
        for name, folders in packages.items():
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__path__ = [str(folder) for folder in folders]
        yield
    finally:
        taken()
        sys.modules.update(before)


def peer_class_of(cfg: Config) -> type[nn.Module]:
    """The peer's class for the head of a config.

    Raises:
        ValueError: if the peer is not installed, or has no such head.
    """
    classes = peer_classes()
    head = check_model(cfg).decode_head
    if not isinstance(head, FCNSkipHead):
        raise ValueError(f"torchfcn has {', '.join(classes)}, but no {type(head).__name__}: leave out --peer")
    for name, scales in SKIP_SCALES.items():
        if list(head.skip_scales) == scales:
            return classes[name]
    raise ValueError(
        f"torchfcn has {', '.join(classes)}, but none that scales its skips by {head.skip_scales}: leave out --peer"
    )


def check_same_network(cfg: Config, peer_class: type[nn.Module]) -> None:
    """Check that a config is the peer's network: the same positions of its maps, and the same weights.

    Raises:
        ValueError: naming the first difference.
    """
    name, head, model = peer_class.__name__, cfg.model.decode_head, check_model(cfg)
    reference = FCNSkipHead.maps_of(None, FCNSkipHead.used_maps(head["in_channels"]))
    if not issubclass(component_class(cfg.model.backbone["type"]), component_class("FCNVGG")):
        raise ValueError(f"torchfcn's {name} is on VGG16, the config on {cfg.model.backbone['type']}: leave out --peer")
    if (model.decode_head.feature_maps, model.decode_head.border) != (reference, "zeros"):
        raise ValueError(
            f"torchfcn's {name} has maps at {', '.join(map(str, reference))}, the config at"
            f" {', '.join(map(str, model.decode_head.feature_maps))} (border={model.decode_head.border!r}):"
            " leave out --peer"
        )
    with torch.device("meta"):
        theirs = canonical_weights(peer_class(n_class=model.num_classes).state_dict())
    ours = model.state_dict()
    # a fixed upsampling keeps one kernel per class; see BilinearUpsample
    shapes = [
        {key: (*value.shape[: 1 if "upscore" in key else 2], *value.shape[2:]) for key, value in state.items()}
        for state in (theirs, ours)
    ]
    for key in sorted(shapes[0].keys() | shapes[1].keys()):
        there, here = (side.get(key, "missing") for side in shapes)
        if there != here:
            raise ValueError(
                f"torchfcn's {name} is not the config's network: {key} is {there} there, {here} here: leave out --peer"
            )


def build_peer(peer_class: type[nn.Module], num_classes: int, seed: int) -> nn.Module:
    """The peer's model with random convolutions; as it comes, they are zero, for weights to be loaded."""
    model = peer_class(n_class=num_classes)
    randomise(model, seed)
    return model


def weights_of(peer: nn.Module) -> dict[str, Tensor]:
    """The peer's weights under this package's names."""
    return canonical_weights(peer.state_dict())


def peer_optimizer(model: nn.Module) -> torch.optim.SGD:
    """SGD over the convolutions as in the peer's training scripts (``examples/voc/train_fcn32s.py``)."""
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    rate = 1e-10
    groups = [
        dict(params=[module.weight for module in convolutions]),
        dict(params=[module.bias for module in convolutions], lr=2 * rate, weight_decay=0),
    ]
    return torch.optim.SGD(groups, lr=rate, momentum=0.99, weight_decay=5e-4)
