"""A positive, linear copy of any network, to measure where the cells of its feature maps lie."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.utils import _pair
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

#: Functions of features that leave every value at its place, by name; in place (with an underscore at the end) as well.
POINTWISE = frozenset(
    "relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish hardswish hardtanh tanh softplus softsign threshold"
    " clamp clamp_min clamp_max clip abs sqrt rsqrt square pow exp normalize dropout detach float half bfloat16".split()
)
NORMS = frozenset("batch_norm instance_norm group_norm layer_norm rms_norm local_response_norm".split())
#: Functions whose results weigh features, such as the gates of squeeze-and-excitation.
GATES = frozenset("sigmoid hardsigmoid softmax".split())
#: Functions that see the whole map, so that their results lie nowhere.
GLOBAL = frozenset("adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d norm linalg_vector_norm".split())
#: Products that are attention if features occur in both factors.
PRODUCTS = frozenset("matmul bmm einsum".split())
ATTENTION = frozenset("scaled_dot_product_attention multi_head_attention_forward".split())
#: Functions in place that networks use on features, whose copies share memory between channels.
IN_PLACE = frozenset("add_ sub_ mul_ div_".split())


def prepare(network: nn.Module) -> nn.Module:
    """Set a network's parameters to 1, in float64 and almost without memory, and switch it to eval mode.

    The weights of convolutions and linear layers are of no account (see :class:`LinearCopy`); with 1 for the others,
    such as layer scales and position embeddings, nothing is switched off.
    """
    one = torch.ones((), dtype=torch.float64)
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(one.expand(parameter.shape), requires_grad=False)
        if hasattr(module, "with_cp"):
            module.with_cp = False  # it would compute the backward pass outside of the copy
        if hasattr(module, "reuse_padding"):
            module.reuse_padding = False  # a cell may then see places of other cells
    network.eval()  # some components return nothing from it
    return network.double()


class LinearCopy(TorchFunctionMode):
    """While entered, a network from :func:`prepare` computes a positive, linear copy of itself.

    The gradient of a cell then tells which pixels the cell sees, and how strongly. Functions are replaced as the
    network calls them, so it does not matter which modules they come from:

    - convolutions and linear layers take the mean over the channels and their window, without bias; transposed
      convolutions and nearest upsampling interpolate linearly; max pooling becomes average pooling;
    - norms, activations and dropout pass their input on; products and quotients of features are their means;
    - what has no position is left out: gates become 1, global pooling a constant, and attention 0.

    Positions are those of the network, and so are receptive fields, but for two cases: a cell sees further by what is
    left out, and where upsampling repeats cells, a cell of the copy sees a neighbour more.

    Features are told from constants by ``requires_grad``: the image has it, the parameters do not.

    Args:
        seed (int, optional): multiply each layer by a random factor of 0.1 to 10. The position of a cell does not
            depend on it unless the network adds paths that lie on different pixels.

    Attributes:
        left_out (set[str]): what was left out: 'attention', 'gates', 'global pooling'.

    Raises:
        ValueError: inside, if the network calls a function that the copy has no equal for.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__()
        self.random = None if seed is None else random.Random(seed)
        self.left_out: set[str] = set()

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Compute the copy of ``func``; inside, the mode is off."""
        kwargs = dict(kwargs or {})
        if "input" in kwargs:
            args = (kwargs.pop("input"), *args)
        called = getattr(func, "__name__", "")
        name = called.rstrip("_")
        if name in PRODUCTS | ATTENTION:
            return self.product(func, name, *args, **kwargs)
        if name in COPIES:
            return getattr(self, COPIES[name])(*args, **kwargs)
        if name in NORMS:
            return args[0]
        if not (args and is_feature(args[0])):
            return func(*args, **kwargs)
        if name in POINTWISE:
            return args[0]
        if name in GATES:
            if args[0].isnan().any():  # the weights of attention
                return constant(float("nan"), args[0].shape)
            self.left_out.add("gates")
            return constant(1.0, args[0].shape)
        if name in GLOBAL:
            self.left_out.add("global pooling")
            return constant(1.0, result_shape(func, args, kwargs))
        if name in ("mul", "div") and any(map(is_feature, (*args[1:], *kwargs.values()))):
            other = (*args[1:], *kwargs.values())[0]
            return (args[0] + other) / 2
        if called in IN_PLACE:
            return getattr(torch.Tensor, name)(*args, **kwargs)
        if called == "view" and not isinstance(args[1], torch.dtype):
            return args[0].reshape(*args[1:])
        return func(*args, **kwargs)

    @property
    def factor(self) -> float:
        """The factor of the next layer."""
        return 1.0 if self.random is None else 10 ** self.random.uniform(-1, 1)

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Mean over the last axis."""
        check_channels(x, -1, weight.shape[1])
        return spread(mean(x, -1) * self.factor, -1, weight.shape[0])

    def conv2d(self, x: Tensor, weight: Tensor, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor:
        """Mean over all channels (also of other groups) and the window."""
        check_channels(x, 1, weight.shape[1] * groups)
        window = torch.full((1, 1, *weight.shape[2:]), self.factor / weight[0, 0].numel(), dtype=x.dtype)
        return spread(F.conv2d(mean(x, 1), window, None, stride, padding, dilation), 1, weight.shape[0])

    def conv_transpose2d(
        self, x: Tensor, weight: Tensor, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
    ) -> Tensor:
        """Linear interpolation over the window; one that is too small for it is widened on both sides alike."""
        if _pair(dilation) != (1, 1):
            raise ValueError("it has a dilated transposed convolution, which has no linear copy")
        check_channels(x, 1, weight.shape[0])
        profiles, paddings = [], []
        for kernel, factor, pad in zip(weight.shape[2:], _pair(stride), _pair(padding)):
            shortest = 2 * factor - 1
            widen = max(0, -((kernel - shortest) // 2))
            profiles.append(interpolation_profile(kernel + 2 * widen, factor))
            paddings.append(pad + widen)
        window = torch.outer(*profiles)[None, None] * self.factor
        y = F.conv_transpose2d(mean(x, 1), window, None, stride, paddings, output_padding)
        return spread(y, 1, weight.shape[1] * groups)

    def max_pool2d(
        self, x: Tensor, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
    ) -> Tensor:
        """Mean over the window, not counting the padding."""
        if _pair(dilation) != (1, 1) or return_indices:
            raise ValueError("it has max pooling with dilation or indices, which has no linear copy")
        pool = partial(F.avg_pool2d, kernel_size=kernel_size, stride=stride, padding=padding, ceil_mode=ceil_mode)
        if known_axis(x) == 1:
            return spread(pool(mean(x, 1), count_include_pad=False), 1, x.shape[1])
        return pool(x, count_include_pad=False)

    def interpolate(
        self, x: Tensor, size=None, scale_factor=None, mode="nearest", align_corners=None, *args, **kwargs
    ) -> Tensor:
        """Nearest upsampling is piecewise constant; linear interpolation agrees with it on the average."""
        y = F.interpolate(x, size, scale_factor, mode, align_corners, *args, **kwargs)
        if x.ndim == 4 and mode.startswith("nearest") and y.shape[2] >= x.shape[2] and y.shape[3] >= x.shape[3]:
            return F.interpolate(x, tuple(y.shape[2:]), mode="bilinear", align_corners=False)
        return y

    def product(self, func: Callable, name: str, *args: Any, **kwargs: Any) -> Any:
        """Leave attention out: scores of features with features are NaN, and what is weighed by NaN is 0."""
        tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]
        features = [is_feature(a) for a in tensors]
        if not any(features):
            return func(*args, **kwargs)
        if name == "multi_head_attention_forward":
            self.left_out.add("attention")
            return constant(0.0, tensors[0].shape), None
        if name == "scaled_dot_product_attention" or any(a.isnan().any() for a in tensors):
            self.left_out.add("attention")
            return constant(0.0, result_shape(func, args, kwargs))
        if sum(features) > 1:
            return constant(float("nan"), result_shape(func, args, kwargs))
        return func(*args, **kwargs)


#: Functions that have a copy, and the method of :class:`LinearCopy` that computes it.
COPIES = {name: name for name in ("linear", "conv2d", "conv_transpose2d", "max_pool2d", "interpolate")}
COPIES["max_pool2d_with_indices"] = "max_pool2d"


def is_feature(value: Any) -> bool:
    """Whether a value depends on the image."""
    return isinstance(value, Tensor) and value.requires_grad


def spread(one_channel: Tensor, axis: int, channels: int) -> Tensor:
    """Features that are the same in all channels, which are computed and stored once."""
    x = one_channel.expand([channels if axis % one_channel.ndim == i else -1 for i in range(one_channel.ndim)])
    if not is_feature(x):
        return x.clone()  # functions in place are left to work on constants
    x.one_channel = axis % x.ndim, one_channel
    return x


def known_axis(x: Tensor) -> int | None:
    """The axis along which :func:`spread` has made the features."""
    return getattr(x, "one_channel", (None, None))[0]


def mean(x: Tensor, axis: int) -> Tensor:
    """Mean over the channels, which stay as one."""
    if known_axis(x) == axis % x.ndim:
        return x.one_channel[1]
    return x.sum(axis, keepdim=True) / x.shape[axis]


def check_channels(x: Tensor, axis: int, expected: int) -> None:
    """Refuse what the weights of a layer do not fit, as the layer would."""
    if x.shape[axis] != expected:
        raise ValueError(f"a layer of {expected} input channels is given {x.shape[axis]}")


def constant(value: float, shape: Sequence[int]) -> Tensor:
    """What does not depend on the image."""
    return torch.full(shape, value, dtype=torch.float64)


def result_shape(func: Callable, args: tuple, kwargs: dict) -> torch.Size:
    """The shape of a function's result, which is not computed."""
    args, kwargs = tree_map(lambda a: a.detach().to("meta") if isinstance(a, Tensor) else a, (args, kwargs))
    return func(*args, **kwargs).shape


def interpolation_profile(kernel: int, factor: int) -> Tensor:
    """Weights of a transposed convolution that interpolates linearly, for a kernel of ``2 * factor - 1`` or more."""
    triangle = factor - np.abs(np.arange(1 - factor, factor))
    return torch.from_numpy(np.convolve(triangle, np.ones(kernel - 2 * factor + 2)))
