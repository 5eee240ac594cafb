"""The settings of ``test_cfg=dict(mode='tiles', ...)``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ...utils.text import nearest

DEFAULT_TILE = 1024  #: pixels, or the next multiple of the stride
#: Settings of the toolbox's own modes, which may stand beside those of tiles without effect.
OTHER_MODES = ("mode", "crop_size", "stride")


@dataclass(frozen=True)
class TileSettings:
    """How pictures are predicted in tiles.

    Attributes:
        tile: height and width of the tiles, in pixels: without their margins, or with the overlap. 'auto' takes as much
            as fits into half of the free memory.
        overlap: pixels by which tiles overlap, to be blended; None for exact tiles.
        batch: how many windows are computed together.
        logits: whether predictions hold ``seg_logits`` in any case.
    """

    tile: int | str
    overlap: int | None = None
    batch: int = 1
    logits: bool = False

    @classmethod
    def read(cls, test_cfg: Mapping[str, Any], stride: int) -> TileSettings:
        """Check the settings of a segmentor.

        Args:
            test_cfg (Mapping): of the segmentor.
            stride (int): of which tiles and overlaps must be multiples.

        Raises:
            ValueError: naming the setting.
        """
        names = [one.name for one in fields(cls)]
        for name in test_cfg:
            if name not in (*names, *OTHER_MODES):
                raise ValueError(
                    f"model.test_cfg.{name} is no setting of mode 'tiles', which has {', '.join(names)}"
                    f"{nearest(name, names)}"
                )
        settings = cls(
            **{"tile": -(-DEFAULT_TILE // stride) * stride, **{k: v for k, v in test_cfg.items() if k in names}}
        )
        if settings.tile != "auto":
            _check_pixels("tile", settings.tile, stride, " or 'auto'")
        if settings.overlap is not None:
            _check_pixels("overlap", settings.overlap, stride, "; leave it out for exact tiles")
            if settings.tile != "auto" and settings.overlap >= settings.tile:
                raise ValueError(
                    f"model.test_cfg.overlap={settings.overlap} must be smaller than the tile of {settings.tile} pixels"
                )
        if not _is_number(settings.batch):
            raise ValueError(f"model.test_cfg.batch must be an integer of 1 or more, got {settings.batch!r}")
        if not isinstance(settings.logits, bool):
            raise ValueError(f"model.test_cfg.logits must be True or False, got {settings.logits!r}")
        return settings


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check_pixels(name: str, value: Any, stride: int, otherwise: str) -> None:
    if not _is_number(value):
        raise ValueError(f"model.test_cfg.{name} must be a number of pixels{otherwise}, got {value!r}")
    if value % stride:
        below, above = value // stride * stride, -(-value // stride) * stride
        raise ValueError(
            f"model.test_cfg.{name} must be a multiple of the network's stride {stride}, got {value}: set it to"
            f" {f'{below} or ' if below else ''}{above}"
        )
