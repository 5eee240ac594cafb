"""What a config says of its feature maps, next to what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from prettytable import PrettyTable

from ..geometry.backbones import UnknownGeometryError, component_class
from ..geometry.coord_map import CoordMap
from ..geometry.positions import MapAlignment
from ..models.decode_heads.fcn_skip_head import FCNSkipHead
from ..models.segmentors.aligned_encoder_decoder import AlignedEncoderDecoder


def used_maps(model: Mapping, number: int) -> list[int]:
    """The maps that the skip head of a config uses, fine to coarse; empty for another head.

    Args:
        model (Mapping): the config's ``model``.
        number (int): how many maps the trunk returns.

    Raises:
        ValueError: if it uses a map that there is not.
    """
    head = model.get("decode_head")
    head_class = component_class(head["type"]) if isinstance(head, Mapping) else None
    if not (head_class and issubclass(head_class, FCNSkipHead)):
        return []
    indices = FCNSkipHead.used_maps(head["in_channels"], head.get("in_index"))
    for index in indices:
        if not -number <= index < number:
            raise ValueError(f"decode_head uses map {index}, but there are {number}: 0 to {number - 1}")
    return [index % number for index in indices]


def stated_maps(model: Mapping, number: int) -> dict[int, CoordMap]:
    """Where a config says that its feature maps lie, by the index of the map; empty if it says nothing.

    It says it by the ``geometry`` of its skip head; without one, :class:`AlignedEncoderDecoder` derives it.

    Args:
        model (Mapping): the config's ``model``.
        number (int): how many maps the trunk returns.

    Raises:
        ValueError: if the geometry does not tell the maps that the head uses.
    """
    indices = used_maps(model, number)
    geometry = indices and model["decode_head"].get("geometry")
    if geometry:
        return dict(zip(indices, FCNSkipHead.maps_of(geometry, indices)))
    segmentor = component_class(model.get("type", "EncoderDecoder"))
    if not (indices and segmentor and issubclass(segmentor, AlignedEncoderDecoder)):
        return {}
    try:
        trunk = dict(backbone=model["backbone"], neck=model.get("neck"))
        return dict(zip(indices, FCNSkipHead.maps_of(trunk, indices)))
    except UnknownGeometryError:
        return {}


def geometry_setting(alignments: Sequence[MapAlignment]) -> str:
    """The setting for maps, all of which have a position: ``decode_head.geometry=[...]``."""
    entries = [f"dict(stride={plain(m.stride)}, offset={plain(m.offset)})" for m in (a.coord_map for a in alignments)]
    return f"decode_head.geometry=[{', '.join(entries)}]"


def alignment_table(alignments: Sequence[MapAlignment], stated: Mapping[int, CoordMap]) -> str:
    """Format the maps, a row each, with what the config says of them."""
    table = PrettyTable(["map", "channels", "stride", "offset", "field", "the config says"], align="r")
    for a in alignments:
        position = [plain(a.coord_map.stride), plain(a.coord_map.offset)] if a.coord_map else ["-", "-"]
        says = str(stated[a.index]) if a.index in stated else "not stated"
        table.add_row([a.index, a.channels, *position, "{} x {}".format(*a.field), says])
    return table.get_string()


def remarks(alignments: Sequence[MapAlignment], left_out: Iterable[str]) -> list[str]:
    """What the table does not say, a sentence each."""
    sentences = [
        f"Map {a.index} is given for images whose sides are multiples of 64; {a.note}." for a in alignments if a.note
    ]
    if left_out:
        sentences.append(f"Left out, as it has no position: {', '.join(sorted(left_out))}; cells see further by it.")
    return sentences


def check_stated(alignments: Sequence[MapAlignment], stated: Mapping[int, CoordMap]) -> None:
    """Check that maps have positions, and those that the config states.

    Raises:
        ValueError: naming the first map that has none, or all that lie elsewhere and what to set.
    """
    for a in alignments:
        if a.problem:
            raise ValueError(f"map {a.index} has no one position: {a.problem}")
    wrong = [a for a in alignments if a.index in stated and stated[a.index] != a.coord_map]
    if wrong:
        differences = [f"map {a.index} lies at {stated[a.index]}, measured at {a.coord_map}" for a in wrong]
        raise ValueError(f"the config says that {'; '.join(differences)}: set model.{geometry_setting(alignments)}")


def plain(value: Fraction) -> int | float:
    """A number as one would write it in a config."""
    return int(value) if value.denominator == 1 else float(value)
