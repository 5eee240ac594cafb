"""A copy of any network that tells which pixels an output depends on, with nothing left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .linear_copy import ATTENTION, GATES, GLOBAL, NORMS, PRODUCTS, LinearCopy, is_feature, known_axis, prepare

#: Layers whose weights are of no account, as :class:`LinearCopy` takes means in their place.
WEIGHED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def prepare_dependence(network: nn.Module) -> nn.Module:
    """As :func:`prepare`; parameters that may stand for places, as position embeddings, differ from each other."""
    generator = torch.Generator().manual_seed(0)
    for module in prepare(network).cpu().modules():
        if not isinstance(module, WEIGHED):
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    values = torch.rand(parameter.shape, generator=generator, dtype=torch.float64) + 0.5
                    module._parameters[name] = nn.Parameter(values, requires_grad=False)
    return network


class DependenceCopy(LinearCopy):
    """While entered, a network from :func:`prepare_dependence` computes sums of positive shares of its pixels.

    An output is above 0 where it depends on a pixel above 0, by any path: what :class:`LinearCopy` leaves out, as it
    lies nowhere, is here the mean of all that it sees. Nearest upsampling repeats cells, as in the network.
    """

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Compute the copy of ``func``; inside, the mode is off."""
        kwargs = dict(kwargs or {})
        if "input" in kwargs:
            args = (kwargs.pop("input"), *args)
        name = getattr(func, "__name__", "").rstrip("_")
        if not (args and is_feature(args[0])) or name in PRODUCTS | ATTENTION:
            return super().__torch_function__(func, types, args, kwargs)
        x = args[0]

        def given(place: int, argument: str, default: Any = None) -> Any:
            return args[place] if len(args) > place else kwargs.get(argument, default)

        if name in ("layer_norm", "rms_norm"):
            return mixed(x, range(x.ndim - len(given(1, "normalized_shape")), x.ndim))
        if name == "group_norm":
            return mixed(x, range(1, x.ndim))
        if (
            name == "instance_norm"
            and given(5, "use_input_stats", True)
            or name == "batch_norm"
            and given(5, "training")
        ):
            return mixed(x, range(2, x.ndim))
        if name == "softmax":
            return mixed(x, [given(1, "dim", -1)])
        if name in GATES or name in NORMS:
            return x
        if name in GLOBAL:
            return func(*args, **kwargs)
        if name == "sub" and any(map(is_feature, (*args[1:], *kwargs.values()))):
            return (x + (*args[1:], *kwargs.values())[0]) / 2  # not 0 for equal ones
        return super().__torch_function__(func, types, args, kwargs)

    def interpolate(
        self, x: Tensor, size=None, scale_factor=None, mode="nearest", align_corners=None, *args, **kwargs
    ) -> Tensor:
        """As in the network."""
        return F.interpolate(x, size, scale_factor, mode, align_corners, *args, **kwargs)

    def product(self, func: Callable, name: str, *args: Any, **kwargs: Any) -> Any:
        """A product of features depends on all that is in a sum of either."""
        tensors = [one for one in (*args, *kwargs.values()) if isinstance(one, Tensor)]
        if not any(map(is_feature, tensors)):
            return func(*args, **kwargs)
        if name in ATTENTION:
            tokens = -2 if name == "scaled_dot_product_attention" else 0  # the axis of their places
            seen = sum(one.mean((tokens, -1), keepdim=True) for one in args[:3])
            result = (args[0].mean(-1, keepdim=True) + seen).expand(*args[0].shape[:-1], args[2].shape[-1])
            return result if tokens == -2 else (result, None)
        features = [place for place, one in enumerate(args) if is_feature(one)]
        if len(features) < 2:
            return func(*args, **kwargs)
        total = 0
        for place in features:
            others = [torch.ones_like(one) if i in features and i != place else one for i, one in enumerate(args)]
            total = total + func(*others, **kwargs)
        return total


def mixed(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Features that depend on all others along some axes, too."""
    dims = [dim % x.ndim for dim in dims]
    return x if dims == [known_axis(x)] else (x + x.mean(dims, keepdim=True)) / 2
