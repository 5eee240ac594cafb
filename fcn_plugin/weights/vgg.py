"""Loading VGG classifiers in torchvision's or mmpretrain's layout under the reference's layer names.

The functions are ``load_state_dict`` pre-hooks: they rename keys in the checkpoint on its way into a module, so that
``init_cfg=dict(type='Pretrained', checkpoint=...)`` takes such a file as it is.
"""

from __future__ import annotations

import re

from torch import Tensor, nn

from .checkpoint import WeightsError

#: torchvision: features.0.weight; mmpretrain: backbone.features.0.conv.weight, backbone.features.0.bn.weight.
FEATURE = re.compile(r"(?:backbone\.)?features\.(\d+)(\.conv|\.bn)?\.(\w+)")
#: torchvision: classifier.0 and .3; Caffe conversions that start with dropout: classifier.1 and .4.
LINEAR = re.compile(r"(?:backbone\.)?classifier\.(\d+)\.(weight|bias)")


def rename_features(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_) -> None:
    """Rename ``features.N`` to ``convS_I`` and ``bnS_I``, by order, for an :class:`FCNVGG`.

    Raises:
        WeightsError: if the checkpoint is a VGG of another depth.
    """
    found = _matches(state_dict, prefix, FEATURE)
    if not found:
        return
    convs = sorted({int(m[1]) for key, m in found.items() if m[2] != ".bn" and state_dict[key].ndim == 4})
    names = module.conv_names
    if len(convs) != len(names):
        raise WeightsError(
            f"the checkpoint is a VGG with {len(convs)} convolutions, FCNVGG(depth={module.depth}) has {len(names)}:"
            " choose the depth or the checkpoint accordingly"
        )
    for key, match in found.items():
        index = int(match[1])
        # A norm layer has its convolution's index (mmpretrain) or the one behind it (torchvision).
        is_norm = match[2] == ".bn" or index not in convs
        name = names[convs.index(index - 1 if is_norm and match[2] is None else index)]
        new = name.replace("conv", "bn") if is_norm else name
        state_dict[f"{prefix}{new}.{match[3]}"] = state_dict.pop(key)


def rename_classifier(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_) -> None:
    """Rename a classifier's first two linear layers to ``fc6`` and ``fc7`` and reshape them to convolutions.

    A weight (out, in * k * k) becomes (out, in, k, k): linear layers over a flattened (C, H, W) map.
    """
    found = _matches(state_dict, prefix, LINEAR)
    linears = sorted({int(m[1]) for m in found.values()})
    for key, match in found.items():
        position = linears.index(int(match[1]))
        if position < 2:
            state_dict[f"{prefix}fc{6 + position}.{match[2]}"] = state_dict.pop(key)
    for name in ("fc6", "fc7"):
        key, conv = f"{prefix}{name}.weight", getattr(module, name)
        weight = state_dict.get(key)
        if weight is not None and weight.ndim == 2 and weight.numel() == conv.weight.numel():
            state_dict[key] = weight.reshape(conv.weight.shape)


def require_all_weights(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_) -> None:
    """Refuse a checkpoint that lacks weights, when it is loaded into the bare module as pretrained weights.

    The toolbox only logs a warning then, and the training starts from random weights.

    Raises:
        WeightsError: naming the missing weights and what the checkpoint holds.
    """
    if prefix:
        return
    wanted = [key for key in module.state_dict() if not key.endswith("num_batches_tracked")]
    missing = [key for key in wanted if key not in state_dict]
    if missing:
        raise WeightsError(
            f"the checkpoint holds {len(wanted) - len(missing)} of the {len(wanted)} weights of"
            f" {type(module).__name__} (missing: {_some(missing)}; it has: {_some(list(state_dict))}):"
            " give the init_cfg of this module a checkpoint that has them, or init_cfg=None to start at random"
        )


def _matches(state_dict: dict[str, Tensor], prefix: str, pattern: re.Pattern) -> dict[str, re.Match]:
    """The keys under ``prefix`` that match ``pattern`` as a whole."""
    matches = {key: pattern.fullmatch(key[len(prefix) :]) for key in state_dict if key.startswith(prefix)}
    return {key: match for key, match in matches.items() if match}


def _some(keys: list[str], most: int = 4) -> str:
    return ", ".join(keys[:most]) + (f" and {len(keys) - most} more" if len(keys) > most else "") or "nothing"
