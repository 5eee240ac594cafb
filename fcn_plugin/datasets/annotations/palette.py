"""Colours of classes whose annotations have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

Colour = tuple[int, int, int]


def voc_colour(index: int) -> Colour:
    """Colour (R, G, B) of an index in Pascal VOC's palette: its lowest bits are the highest of R, G and B."""
    colour = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            colour[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    return tuple(colour)


def palette_of(classes: Sequence[str], colours: Mapping[str, Colour]) -> tuple[Colour, ...]:
    """A colour for each class: its own, if no class before has it, else the next free one of Pascal VOC's."""
    own: dict[str, Colour] = {}
    for name in classes:
        if name in colours and colours[name] not in own.values():
            own[name] = colours[name]
    free = (colour for colour in map(voc_colour, count()) if colour not in own.values())
    return tuple(own.get(name) or next(free) for name in classes)
