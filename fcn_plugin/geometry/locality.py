"""How far the outputs of a network see, and whether a window gives the same as the whole picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from ..utils.text import first_line, summarize
from .dependence_copy import DependenceCopy, prepare_dependence
from .linear_feature_extractor import with_values

#: Length of the first picture that is measured, and of the longest, in pixels; and widths, of which the first that the
#: network takes is used. All are rounded up to the stride.
START_LENGTH, MAX_LENGTH, WIDTHS = 512, 4096, (64, 256, 512)
#: Largest difference of a window to the whole, of values around 1, in float64.
TOLERANCE = 1e-9


class NotLocalError(ValueError):
    """Raised for a network whose windows do not give what the whole picture gives, or of which this cannot be told."""


@dataclass(frozen=True)
class Locality:
    """What a window must have to give the outputs of the whole picture.

    Attributes:
        margin: how far the outputs see beyond a cut, in pixels, rounded up to the stride.
        stride: windows begin at multiples of it, and end there or with the picture; in pixels.
        whole_cells: whether it holds only for pictures whose sides are multiples of the stride.
    """

    margin: int
    stride: int
    whole_cells: bool = False


def measure_locality(network: nn.Module, run: Callable[[nn.Module, Tensor], Tensor], stride: int) -> Locality:
    """Measure how far outputs see in a copy of a network that adds up pixels, and compare windows with the whole.

    Pixels beyond a cut are 1, those before it 0: outputs above 0 see beyond the cut. This counts padding, rounding and
    interpolation as they fall in the network, and does not depend on weights, which may be on the meta device.

    Args:
        network (nn.Module): left as it is.
        run (Callable): gives the outputs (N, K, H, W) of a network like it for images (N, C, H, W).
        stride (int): at whose multiples windows begin, in pixels.

    Raises:
        NotLocalError: for a network that sees everything, naming the modules, that gives other values at another place,
            or that cannot be copied.
    """
    with torch.device("cpu"):  # also where a model without values is built
        return _measured(_Copy(network, run, stride))


def _measured(copied: _Copy) -> Locality:
    stride = copied.stride
    margin = max(_reach(copied, axis) for axis in (0, 1))
    margin = math.ceil(margin / stride) * stride
    if all(_windows_agree(copied, axis, margin, stride // 2 | 1) for axis in (0, 1)):
        return Locality(margin, stride)
    if all(_windows_agree(copied, axis, margin, 0) for axis in (0, 1)):
        return Locality(margin, stride, whole_cells=True)
    raise NotLocalError(
        "what it computes depends on where the picture begins, as with shifted windows or position embeddings"
    )


class _Copy:
    """The copy, for images of one channel, along one axis."""

    def __init__(self, network: nn.Module, run: Callable[[nn.Module, Tensor], Tensor], stride: int) -> None:
        self.network, self.run, self.stride = prepare_dependence(with_values(network)), run, stride
        convs = (module for module in self.network.modules() if isinstance(module, nn.Conv2d))
        self.channels = next((conv.in_channels for conv in convs), 3)
        self.width = self._width()

    def _width(self) -> int:
        for width in WIDTHS:
            try:
                self(torch.ones(1, self.round(START_LENGTH)), 0, self.round(width))
                return self.round(width)
            except Exception as error:  # whatever a component makes of a size, or the copy of a function
                reason = first_line(error)
        raise NotLocalError(f"how far its outputs see cannot be measured ({reason})")

    def round(self, pixels: int) -> int:
        """The next multiple of the stride."""
        return math.ceil(pixels / self.stride) * self.stride

    def __call__(self, lines: Tensor, axis: int, width: int | None = None) -> Tensor:
        """Outputs (N, L), for images that vary along one axis as lines (N, L) do."""
        lines = lines.double()
        shape = (*lines.shape, width or self.width) if axis == 0 else (len(lines), width or self.width, lines.shape[1])
        images = (lines[:, :, None] if axis == 0 else lines[:, None]).expand(shape)[:, None].clone()
        # gradients tell features from constants, and nothing is kept for a backward pass
        with saved_tensors_hooks(lambda _: None, lambda _: None), torch.enable_grad(), DependenceCopy():
            out = self.run(self.network, images.requires_grad_().expand(-1, self.channels, -1, -1))
        return out.detach().sum((1, 3 - axis))


def _reach(copied: _Copy, axis: int) -> int:
    """How many outputs before a cut see beyond it, or the other way round, in pixels; the larger."""
    length = copied.round(START_LENGTH)
    while True:
        cut = copied.round(length // 2)
        behind = (torch.arange(length) >= cut).double()
        none, first, last = copied(torch.stack([torch.zeros(length), behind, 1 - behind]), axis)
        before, after = (first != none)[:cut].nonzero(), (last != none)[cut:].nonzero()
        left = cut - int(before[0]) if len(before) else 0
        right = int(after[-1]) + 1 if len(after) else 0
        if left < cut and right < length - cut:
            return max(left, right)
        if 2 * length > MAX_LENGTH:
            break
        length *= 2
    with _sees_everything(copied.network) as modules:
        copied(behind[None], axis)
    listed = "; ".join(
        f"{kind.__name__} ({summarize(names)})" for kind, names in _by_kind(copied.network, modules).items()
    )
    raise NotLocalError(
        f"its outputs see more than {cut} pixels far" + (f", by {listed}, which see all of a map" if listed else "")
    )


@contextmanager
def _sees_everything(network: nn.Module) -> Iterator[list[str]]:
    """Names of the innermost modules that make maps without zeros of maps of which an eighth or more are zeros."""
    found: list[str] = []

    def seen(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: object) -> None:
            given, made = _first_tensor(inputs), _first_tensor(output)
            if given is None or made is None or any(one.startswith(f"{name}.") for one in found):
                return
            if (_seen(given) == 0).double().mean() >= 1 / 8 and (_seen(made) != 0).all():
                found.append(name)

        return hook

    handles = [module.register_forward_hook(seen(name)) for name, module in network.named_modules() if name]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _first_tensor(values: object) -> Tensor | None:
    while isinstance(values, (tuple, list)) and values:
        values = values[0]
    return values if isinstance(values, Tensor) else None


def _seen(x: Tensor) -> Tensor:
    """The sum over the channels of maps (N, C, H, W) or tokens (..., C)."""
    return x.sum(1 if x.ndim == 4 else -1)


def _by_kind(network: nn.Module, names: list[str]) -> dict[type, list[str]]:
    """Names of all modules of the kinds that were found: behind the first one, everything is seen already."""
    kinds = {type(network.get_submodule(name)) for name in names}
    listed: dict[type, list[str]] = {}
    for name, module in network.named_modules():
        if type(module) in kinds:
            listed.setdefault(type(module), []).append(name)
    return listed


def _windows_agree(copied: _Copy, axis: int, margin: int, more: int) -> bool:
    """Whether a window at the start and one at the end of a picture give what the whole gives, margins aside.

    Args:
        more (int): by how many pixels the picture is longer than a multiple of the stride.
    """
    stride = copied.stride
    length = margin + 4 * stride + more
    line = torch.rand(1, length, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    width, cut = copied.width + more, margin + 2 * stride
    try:
        whole = copied(line, axis, width)
        first, last = copied(line[:, :cut], axis, width), copied(line[:, stride:], axis, width)
    except Exception:  # of any kind: the network does not take such sizes
        return False
    differences = [first[:, : cut - margin] - whole[:, : cut - margin], last[:, margin:] - whole[:, stride + margin :]]
    return max(float(one.abs().max()) for one in differences) <= TOLERANCE * float(whole.abs().max())
