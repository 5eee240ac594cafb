"""Weights of a network of three bands in a network of other bands: its first convolution is adapted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from .errors import WeightsError

COLOURS = 3  #: bands of the pictures that published networks were trained on


def adapt_bands(weight: Tensor, bands: int) -> Tensor:
    """The weights of a first convolution for another number of bands, as timm does it.

    Of one band, the weights of the three are summed: a grey picture gives what it gave as colour. For more, the three
    are repeated in turn and scaled by 3 / bands: a picture whose bands are all alike gives what it gave in grey, if
    there are 6, 9, ... of them, and about that otherwise.

    Args:
        weight (Tensor): (C, 3, kh, kw).
        bands (int): their new number N.

    Returns:
        Tensor: (C, N, kh, kw).
    """
    if bands == 1:
        return weight.sum(1, keepdim=True)
    return weight[:, torch.arange(bands) % COLOURS] * (COLOURS / bands)


def first_convolution(module: nn.Module) -> tuple[str, nn.Conv2d] | None:
    """The convolution that sees the picture: the first that a network has, and its name; None if it has none."""
    return next(((name, one) for name, one in module.named_modules() if isinstance(one, nn.Conv2d)), None)


def fit_bands(module: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a module, its first convolution adapted from three bands to those that it takes, if need be.

    Any other difference is left for others to find.

    Args:
        module (nn.Module): a backbone.
        weights (Mapping[str, Tensor]): by the module's names.
    """
    first = first_convolution(module)
    if first is None:
        return dict(weights)
    key, own = f"{first[0]}.weight".removeprefix("."), first[1].weight.shape
    given = weights.get(key)
    if not differs_in_bands(given, own):
        return dict(weights)
    _tell(key, own[1])
    return {**weights, key: adapt_bands(given, own[1])}


def with_bands(weights: Mapping[str, Tensor], bands: int, where: str) -> dict[str, Tensor]:
    """The weights of a segmentor or a classifier of three bands for another number of them.

    Args:
        weights (Mapping[str, Tensor]): canonical ones, or those of the toolbox's segmentors.
        bands (int): their new number, >= 1.
        where (str): what to call the weights in the error.

    Raises:
        ValueError: for a number below 1.
        WeightsError: if the backbone's first convolution takes other than three bands.
    """
    if bands < 1:
        raise ValueError(f"the number of bands must be 1 or more, got {bands}")
    key = next((key for key, value in weights.items() if key.startswith("backbone.") and value.ndim == 4), None)
    if key is None or weights[key].shape[1] != COLOURS:
        has = "there is no convolution" if key is None else f"{key} takes {weights[key].shape[1]}"
        raise WeightsError(f"{where} cannot be adapted to {bands} bands: {has}, expected one of {COLOURS} bands")
    if bands == COLOURS:
        return dict(weights)
    _tell(key, bands)
    return {**weights, key: adapt_bands(weights[key], bands)}


@contextmanager
def fitting_bands(module: nn.Module) -> Iterator[None]:
    """Adapt the first convolution of weights that any call loads into a module meanwhile, as :func:`fit_bands`."""
    first = first_convolution(module)
    if first is None:
        yield
        return
    name, conv = first

    def adapt(state_dict: dict, prefix: str, *_) -> None:
        key = f"{prefix}weight"
        if differs_in_bands(given := state_dict.get(key), conv.weight.shape):
            _tell(key, conv.weight.shape[1])
            state_dict[key] = adapt_bands(given, conv.weight.shape[1])

    hook = conv._register_load_state_dict_pre_hook(adapt)  # its public name is younger than PyTorch 2.1
    try:
        yield
    finally:
        hook.remove()


def differs_in_bands(given: Tensor | None, own: torch.Size) -> bool:
    """Whether a weight is that of a convolution of three bands, and a network's of this shape but for the bands."""
    return (
        given is not None
        and given.ndim == len(own) == 4
        and given.shape[1] == COLOURS != own[1]
        and (given.shape[0], *given.shape[2:]) == (own[0], *own[2:])
    )


def _tell(key: str, bands: int) -> None:
    how = "summed" if bands == 1 else f"repeated in turn, and scaled by {COLOURS}/{bands}"
    print_log(f"{key}: weights of {COLOURS} bands for {bands} ({how})", logger="current")
