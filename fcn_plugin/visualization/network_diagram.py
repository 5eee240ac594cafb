"""A network with skips as a diagram: its strides, kernels and crops, as the built model has them."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from mmseg.models import EncoderDecoder

from ..geometry import CoordMap, UpsampleStep
from ..models.decode_heads import FCNSkipHead

COLUMN, HEIGHT = 2.3, 4.2  #: of a figure, in inches
MAPS, SCORES, SUMS = 2.0, 1.0, 0.0  #: rows, from the bottom
MAP_COLOUR, SCORE_COLOUR, SUM_COLOUR = "#dbe9f6", "#fde9c9", "#d9efd5"


def draw_network(model: EncoderDecoder) -> Figure:
    """Draw where the maps of a network lie, and how its skip head brings them onto the image.

    A column for the image and for each map that the head uses, fine to coarse. From the top: the maps; their scores;
    and, from right to left, the upsampling, with what is cropped at the start of either side of a sum.

    Args:
        model (EncoderDecoder): with a skip head.

    Raises:
        ValueError: for another head.
    """
    head = model.decode_head
    if not isinstance(head, FCNSkipHead):
        raise ValueError(f"a diagram shows skip heads (FCNSkipHead), got a model with {type(head).__name__}")
    maps = list(zip(head.feature_maps, head.in_channels))
    figure = Figure(figsize=(COLUMN * (len(maps) + 1), HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(-0.5, len(maps) + 0.5), ylim=(SUMS - 0.4, MAPS + 0.4))
    axes.axis("off")
    extractor = [type(part).__name__ for part in (model.backbone, getattr(model, "neck", None)) if part is not None]
    axes.set_title(f"{type(head).__name__} on {' + '.join(extractor)}")

    above = [_box(axes, 0, MAPS, "image\nH x W", MAP_COLOUR)]
    for column, (at, channels) in enumerate(maps, start=1):
        above.append(_box(axes, column, MAPS, f"{_position(at)}\n{channels} channels", MAP_COLOUR))
        _arrow(axes, above[-2], above[-1])
    scores, scales = [], [*head.skip_scales, 1]
    for column, name in enumerate(reversed(head.score_names), start=1):
        layer = f"{name}\n1x1, {maps[column - 1][1]} to {head.out_channels}"
        scores.append(_box(axes, column, SCORES, layer, SCORE_COLOUR))
        scale = scales[column - 1]
        _arrow(axes, above[column], scores[-1], "" if scale == 1 else f"x {scale:g}")
    below = _box(axes, len(maps), SUMS, "scores", SUM_COLOUR)
    _arrow(axes, scores[-1], below)
    for column, name, step in zip(reversed(range(len(maps))), head.upscore_names, head.steps):
        result = f"sum\n{_position(step.result)}" if column else f"logits\n{head.out_channels} x H x W"
        coarser, below = below, _box(axes, column, SUMS, result, SUM_COLOUR)
        _arrow(axes, coarser, below, f"{_upsampling(name, step)}\ncrop {step.crop_upsampled}")
        if column:
            _arrow(axes, scores[column - 1], below, f"crop {step.crop_target}")
    return figure


def _position(at: CoordMap) -> str:
    return str(at).strip("()").replace(", ", "\n")


def _upsampling(name: str, step: UpsampleStep) -> str:
    return "as it is" if step.changes_nothing else f"{name}\nx{step.factor}, kernel {step.kernel}"


def _box(axes: Axes, x: float, y: float, text: str, colour: str) -> Text:
    style = dict(boxstyle="round,pad=0.5", facecolor=colour, edgecolor="black", linewidth=0.8)
    return axes.text(x, y, text, ha="center", va="center", fontsize=9, bbox=style)


def _arrow(axes: Axes, start: Text, end: Text, text: str = "") -> None:
    """An arrow from box to box, its text above it, or at the right of one that goes down."""
    ends = dict(patchA=start.get_bbox_patch(), patchB=end.get_bbox_patch(), shrinkA=0, shrinkB=0)
    (x0, y0), (x1, y1) = start.get_position(), end.get_position()
    axes.annotate("", (x1, y1), (x0, y0), arrowprops=dict(arrowstyle="->", **ends), zorder=start.zorder + 1)
    if text:
        down = x0 == x1
        place = dict(ha="left", va="center") if down else dict(ha="center", va="bottom")
        axes.text((x0 + x1) / 2 + 0.03 * down, (y0 + y1) / 2 + 0.03 * (not down), text, fontsize=8, **place)
