"""Positions as they were measured, and what keeps a map from having one."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from .coord_map import CoordMap

#: Positions are multiples of 1 / DENOMINATOR pixels, measured to TOLERANCE pixels.
DENOMINATOR, TOLERANCE = 64, 1e-6


@dataclass(frozen=True)
class Field:
    """What a cell sees along one axis.

    Attributes:
        cell: its index.
        first, last: first and last pixel that it sees.
        centre: mean of the pixels, as the cell weighs them; NaN if it sees none.
    """

    cell: int
    first: int
    last: int
    centre: float

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Line:
    """Where neighbouring cells of a map are centred along one axis.

    Attributes:
        start: the first of the cells.
        centres: pixels on which they are centred.
    """

    start: int
    centres: tuple[float, ...]

    @property
    def stride(self) -> float:
        """Distance of neighbours, in pixels, on the average."""
        return (self.centres[-1] - self.centres[0]) / (len(self.centres) - 1)

    @property
    def offset(self) -> float:
        """Centre of cell 0, in pixels, if the cells are evenly spaced."""
        return self.centres[0] - self.stride * self.start

    def __str__(self) -> str:
        stride, offset = (round(value, 5) + 0.0 for value in (self.stride, self.offset))  # 0, not -0 or 1e-13
        return f"stride {stride:g}, offset {offset:g}"

    def lies_at(self, stride: float | Fraction, offset: float | Fraction) -> bool:
        """Whether the cells are centred on ``stride * i + offset``."""
        expected = [float(stride * (self.start + i) + offset) for i in range(len(self.centres))]
        return stride > 0 and np.allclose(self.centres, expected, rtol=0, atol=TOLERANCE)

    def agrees(self, other: Line) -> bool:
        """Whether another line puts the same cells on the same pixels."""
        return np.allclose(self.centres, other.centres, rtol=0, atol=TOLERANCE)

    def rounded(self) -> CoordMap | None:
        """Stride and offset as multiples of 1 / DENOMINATOR pixels; None if the cells lie elsewhere."""
        stride, offset = (Fraction(round(value * DENOMINATOR), DENOMINATOR) for value in (self.stride, self.offset))
        return CoordMap(stride, offset) if self.lies_at(stride, offset) else None


@dataclass(frozen=True)
class AxisAlignment:
    """Where the cells of a map lie along one axis.

    Attributes:
        name: 'rows' or 'columns'.
        length: of the image, in pixels.
        field: of the cell in the middle.
        line: centres of the cells around it; None if they see nothing, or the ends of the image.
        reweighted: the same with other weights.
        longer: the same in an image of one pixel more; None as well if the network does not take it.
    """

    name: str
    length: int
    field: Field
    line: Line | None = None
    reweighted: Line | None = None
    longer: Line | None = None

    @property
    def problem(self) -> str:
        """Why the cells have no position along this axis; empty if they have."""
        line, other = self.line, self.reweighted
        if np.isnan(self.field.centre):
            return "its cells see no pixel by any path that can be followed"
        if line is None:
            return f"a cell sees {self.field.size} of the {self.length} {self.name} of the largest image measured"
        if not line.lies_at(line.stride, line.offset):
            centres = ", ".join(f"{centre:.6g}" for centre in line.centres)
            return f"neighbouring cells are centred on the {self.name} {centres}, which are not evenly spaced"
        if not line.agrees(other):
            return (
                f"along the {self.name}, it has {line}, but with other weights {other}: the network adds paths that lie"
                " on different pixels"
            )
        if abs(line.stride * self.field.cell + line.offset - self.field.centre) > TOLERANCE:
            return f"along the {self.name}, it has {line}, but a gradient there centred elsewhere: it is not linear"
        if line.rounded() is None:
            return f"along the {self.name}, it has {line}, which is no multiple of 1/{DENOMINATOR} pixel"
        return ""

    @property
    def note(self) -> str:
        """How the position depends on the size of the image; empty if it does not."""
        if self.problem or self.longer is None or self.line.agrees(self.longer):
            return ""
        return f"in an image of {self.length + 1} {self.name}, it has {self.longer}"


@dataclass(frozen=True)
class MapAlignment:
    """Where the cells of a feature map lie, and what they see.

    Attributes:
        index: of the map, among those that the feature extractor returns.
        channels: of the map.
        rows, columns: the two axes.
    """

    index: int
    channels: int
    rows: AxisAlignment
    columns: AxisAlignment

    @property
    def field(self) -> tuple[int, int]:
        """Height and width of the receptive field, in pixels."""
        return self.rows.field.size, self.columns.field.size

    @property
    def problem(self) -> str:
        """Why the map has no position; empty if it has."""
        if self.rows.problem or self.columns.problem:
            return self.rows.problem or self.columns.problem
        if self.rows.line.rounded() != self.columns.line.rounded():
            return f"it has {self.rows.line} along the rows, but {self.columns.line} along the columns"
        return ""

    @property
    def coord_map(self) -> CoordMap | None:
        """The position; None if there is a problem."""
        return None if self.problem else self.rows.line.rounded()

    @property
    def note(self) -> str:
        """How the position depends on the size of the image; empty if it does not."""
        return self.rows.note or self.columns.note
