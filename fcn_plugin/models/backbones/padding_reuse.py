"""Feature maps of a padded image for the price of the image.

Beyond the reach of the image, maps are what the network makes of zeros: a constant, but for a ring of a few cells at
the border of the map. That part is computed once, on a small map, and repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class PaddedMap:
    """A feature map, and what it would be without the image.

    Attributes:
        full (Tensor): the map, (N, C, H, W).
        blank (Tensor): the map of a smaller image of zeros, (1, C, h, w). It has the border of ``full``, and between it
            a constant; with its middle row and column repeated, it equals ``full`` outside of ``window``.
        border (int): cells at each side of ``blank`` that differ from its constant, at most.
        window (tuple[range, range]): rows and columns of ``full`` that the image reaches.
    """

    full: Tensor
    blank: Tensor
    border: int
    window: tuple[range, range]

    @classmethod
    def of_images(cls, images: Tensor, padding: int) -> PaddedMap:
        """Images (N, C, H, W), padded with zeros on all sides."""
        height, width = images.shape[2:]
        window = range(padding, padding + height), range(padding, padding + width)
        return cls(F.pad(images, [padding] * 4), images.new_zeros(1, images.shape[1], 1, 1), 0, window)

    def behind(self, stage: Callable[..., Tensor], reach: int) -> PaddedMap | None:
        """The map behind a stage, which is computed where the image reaches, and on the blank map.

        Args:
            stage (Callable): 3x3 convolutions, then a pooling of 2 by 2 cells in ceil mode; it takes a map and the
                ``padding`` of all convolutions, 0 or 1.
            reach (int): cells by which the convolutions together see beyond a cell, on each side.

        Returns:
            PaddedMap, optional: None if the image reaches so far that nothing would be saved.
        """
        sizes = self.full.shape[2:]
        window = tuple(range((w.start - reach) // 2, -(-(w.stop + reach) // 2)) for w in self.window)
        seen = [range(2 * w.start - reach, 2 * w.stop + reach) for w in window]
        border = (self.border + reach) // 2 + 1
        blank_sizes = [2 * (2 * border + 1) - size % 2 for size in sizes]  # halved, they round as the map's sizes do
        if any(s.start < 0 or s.stop > size or b > size for s, size, b in zip(seen, sizes, blank_sizes)):
            return None
        rows, columns = seen
        reached = stage(self.full[:, :, rows.start : rows.stop, columns.start : columns.stop], padding=0)
        blank = stage(repeat_middle(self.blank, blank_sizes), padding=1)
        full = repeat_middle(blank, [-(-size // 2) for size in sizes], len(self.full))
        rows, columns = window
        full[:, :, rows.start : rows.stop, columns.start : columns.stop] = reached
        return PaddedMap(full, blank, border, window)


def repeat_middle(x: Tensor, size: tuple[int, int], batch_size: int = 1) -> Tensor:
    """Enlarge a map (1, C, h, w) to (batch_size, C, *size) by repeating its middle row and column; a new tensor."""
    x = x.permute(0, 2, 3, 1)  # in the order in which channels_last lies in memory, which cat keeps
    for axis, length in ((2, size[1]), (1, size[0])):
        before = x.shape[axis] // 2
        after = x.shape[axis] - before - 1
        if axis == 1:
            x = x.expand(batch_size, -1, -1, -1)
        middle = x.narrow(axis, before, 1)
        middle = middle.expand([length - before - after if i == axis else -1 for i in range(4)])
        x = torch.cat([x.narrow(axis, 0, before), middle, x.narrow(axis, before + 1, after)], axis)
    return x.permute(0, 3, 1, 2)
