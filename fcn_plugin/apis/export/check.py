"""That an exported file computes what the network computes, on images of several sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...utils.text import first_line
from .network import ExportableNetwork

#: Largest difference of logits that passes, relative to their range. Convolutions are summed in another order, which in
#: float32 makes a few millionths.
TOLERANCE = 1e-4


class CheckError(ValueError):
    """An exported file that does not compute what its network computes."""


@dataclass(frozen=True)
class Difference:
    """How far a file's logits are from those of its network, on one batch.

    Attributes:
        shape: of the images, (N, C, H, W).
        largest: largest difference of a logit, relative to their range.
        labels: share of the pixels whose label is the toolbox's.
    """

    shape: tuple[int, ...]
    largest: float
    labels: float

    def __str__(self) -> str:
        count, _, height, width = self.shape
        return f"{count} x {height} x {width}: largest difference {self.largest:.1e}, same labels {self.labels:.2%}"


def check_sizes(shape: tuple[int, int], smallest: int) -> list[tuple[int, int, int]]:
    """Sizes (N, H, W) to check a network at that was exported at ``shape``: as exported, several images, wide, upright,
    larger, with odd sides, with one side of ``smallest``, and as small as can be.
    """
    height, width = shape
    return [
        (1, height, width),
        (1, height + 31, 2 * width + 1),
        (1, 2 * height + 3, max(smallest, width - 15)),
        (1, smallest, width),
        (1, height + 1, smallest),
        (1, smallest, smallest),
        (2, smallest + 1, smallest + 2),
    ]


def smallest_side(network: ExportableNetwork, largest: int) -> int:
    """The least power of two whose square images the network takes.

    Raises:
        ValueError: that of the network, if it does not take ``largest`` pixels either.
    """
    side = 1
    while True:
        try:
            network.reference(torch.zeros(1, network.channels, side, side))
            return side
        except (ValueError, RuntimeError) as error:
            if side >= largest:
                raise ValueError(f"images of {largest} pixels are too small for this network: {error}") from error
        side = min(2 * side, largest)


def compare(
    network: ExportableNetwork, run: Callable[[Tensor], Tensor], sizes: Sequence[tuple[int, int, int]]
) -> list[Difference]:
    """Run a file and its network on random images.

    Args:
        network (ExportableNetwork): the network.
        run (Callable): computes logits (N, num_classes, H, W) of images (N, C, H, W) by the file.
        sizes (Sequence[tuple[int, int, int]]): N, H and W of each batch.

    Raises:
        CheckError: at the first size whose logits are of another shape than (N, num_classes, H, W), or differ from the
            network's by more than ``TOLERANCE``.
    """
    generator = torch.Generator().manual_seed(0)
    differences = []
    for count, height, width in sizes:
        image = 255 * torch.rand(count, network.channels, height, width, generator=generator)
        if not network.prepares:
            image = image / 127.5 - 1
        expected, expected_labels = network.reference(image)
        at = f"of images of {height} x {width} pixels"
        try:
            actual = run(image)
        except Exception as error:  # of the kinds of the runtime
            raise CheckError(f"the exported file cannot compute logits {at}: {first_line(error)}") from error
        if actual.shape != expected.shape or actual.shape[2:] != image.shape[2:]:
            raise CheckError(f"the exported file makes logits of {tuple(actual.shape)} {at}, not {(*expected.shape,)}")
        extent = (expected.max() - expected.min()).clamp(min=torch.finfo(torch.float32).tiny)
        largest = float((actual - expected).abs().max() / extent)
        labels = float((actual.argmax(1) == expected_labels).float().mean())
        differences.append(Difference(tuple(image.shape), largest, labels))
        if not largest <= TOLERANCE:
            raise CheckError(
                f"the exported file's logits {at} differ from the network's by {largest:.1e} of their range, more than"
                f" {TOLERANCE:.0e}"
            )
    return differences
