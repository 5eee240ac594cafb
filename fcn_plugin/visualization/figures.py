"""Saving matplotlib's figures."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from ..utils.files import atomic_write

DPI = 110  #: of pictures made of pixels


def save_figure(figure: Figure, path: str | Path) -> None:
    """Save a figure, as a whole or not at all, in the format that its name ends in."""
    path = Path(path)
    with atomic_write(path) as partial:
        figure.savefig(partial, format=path.suffix[1:].lower(), dpi=DPI)


def figure_bytes(figure: Figure, kind: str = "png") -> bytes:
    """A figure as the content of a file of a format that matplotlib knows."""
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=DPI)
    return content.getvalue()
