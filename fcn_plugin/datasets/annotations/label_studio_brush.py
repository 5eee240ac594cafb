"""Run lengths of Label Studio's brush: bits of a picture with red, green, blue and opacity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHANNELS = 4
WINDOW = 9  #: bytes that hold any number of up to 32 bits, wherever it begins


class Bits:
    """Numbers of any width out of bytes, the highest bit first."""

    def __init__(self, content: bytes) -> None:
        self.length, self.place = 8 * len(content), 0
        self._content = content + bytes(WINDOW)

    def read(self, width: int) -> int:
        """The next number.

        Raises:
            ValueError: if the bytes end before it does.
        """
        byte, bit = divmod(self.place, 8)
        self.place += width
        if self.place > self.length:
            raise ValueError("the run lengths of a brush end too early")
        window = int.from_bytes(self._content[byte : byte + WINDOW], "big")
        return window >> (8 * WINDOW - bit - width) & ((1 << width) - 1)


@dataclass(frozen=True)
class BrushRuns:
    """A region that was painted; every pixel that is not fully transparent belongs to it.

    The bits are: how many values (32), their width less 1 (5), four widths of lengths, less 1 each (4); then blocks: of
    one value or of several (1), which of the widths (2), the length less 1, and the value or the values.

    Attributes:
        content: the bits.
        size: (height, width) of the picture.
    """

    content: bytes
    size: tuple[int, int]

    def paint(self, labels: np.ndarray, code: int) -> None:
        """Set its pixels of int16 (H, W) to a code.

        Raises:
            ValueError: if it is of another size, or cut off.
        """
        bits = Bits(self.content)
        count, depth = bits.read(32), bits.read(5) + 1
        widths = [bits.read(4) + 1 for _ in range(4)]
        if self.size != labels.shape or count != labels.size * CHANNELS:
            picture = f"a picture of {labels.shape[1]}x{labels.shape[0]}"
            raise ValueError(f"a brush of {self.size[1]}x{self.size[0]} pixels and {count} values in {picture}")
        painted, place = np.zeros(count, bool), 0
        while place < count:
            repeated = bits.read(1)
            length = bits.read(widths[bits.read(2)]) + 1
            if repeated:
                painted[place : place + length] = bits.read(depth) > 0
            else:
                length = min(length, count - place)
                painted[place : place + length] = [bits.read(depth) > 0 for _ in range(length)]
            place += length
        labels[painted.reshape(*labels.shape, CHANNELS)[..., -1]] = code
