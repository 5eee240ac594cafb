"""What a config says of its feature maps, next to what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from mmengine.config import Config
from mmengine.registry import DefaultScope
from prettytable import PrettyTable

from ..checks.model import build_without_values, check_model
from ..geometry import CoordMap, UnknownGeometryError, recorded_maps
from ..geometry.linear_feature_extractor import LinearFeatureExtractor
from ..geometry.positions import MapAlignment
from ..models.segmentors.aligned_encoder_decoder import AlignedEncoderDecoder, skip_heads
from ..utils.text import first_line


def build_feature_extractor(cfg: Config) -> LinearFeatureExtractor:
    """The backbone and the neck of a config, without pretrained weights, ready to be measured.

    Raises:
        ValueError: if there is no backbone, or a part cannot be built.
    """
    model = cfg.get("model") or {}
    if not model.get("backbone"):
        raise ValueError("the config has no model.backbone, whose feature maps could be measured")
    parts = []
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmseg"):
        for part in (model[name] for name in ("backbone", "neck") if model.get(name)):
            try:
                parts.append(build_without_values(part))
            except Exception as error:  # whatever a component of the toolbox raises
                raise ValueError(f"{part.get('type')} cannot be built: {first_line(error)}") from error
    return LinearFeatureExtractor(*parts)


def stated_maps(cfg: Config, number: int) -> dict[int, CoordMap]:
    """Where the skip head of a config takes its feature maps to lie, fine to coarse, by the index of the map.

    Args:
        cfg (Config): of a segmentor.
        number (int): how many maps the feature extractor returns.

    Returns:
        dict[int, CoordMap]: empty for another head, and if nothing tells it.

    Raises:
        ValueError: if the model cannot be built.
    """
    if not cfg.model.get("decode_head"):
        return {}
    try:
        model = check_model(cfg)
    except ValueError as error:
        if isinstance(error.__cause__, UnknownGeometryError):
            return {}
        raise
    head = skip_heads(model).get("decode_head")
    if head is None or not (isinstance(model, AlignedEncoderDecoder) or recorded_maps(model.backbone)):
        return {}
    return dict(zip((index % number for index in head.in_index), head.feature_maps))


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
