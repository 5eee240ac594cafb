"""Reading images to draw on, and saving matplotlib's figures."""

from __future__ import annotations

import io
from pathlib import Path

import mmcv
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..utils.files import atomic_write, check_writable

DPI = 110  #: of pictures made of pixels


def read_image(path: str | Path) -> np.ndarray:
    """Read an image as it is shown (EXIF): RGB, uint8 (H, W, 3).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an image.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no image {path}")
    image = mmcv.imread(str(path)) if Path(path).stat().st_size else None
    if image is None:
        raise ValueError(f"{path} is no image that can be read")
    return np.ascontiguousarray(image[..., ::-1])


def check_picture_name(path: str | Path) -> None:
    """Check that a picture can be saved under a name.

    Raises:
        ValueError: if it does not end in a format that matplotlib writes.
        CannotWriteError: if its directory cannot be written.
    """
    formats = FigureCanvasAgg.get_supported_filetypes()
    if Path(path).suffix.lstrip(".").lower() not in formats:
        raise ValueError(f"a picture must end in .{', .'.join(sorted(formats))}, got {path}")
    check_writable(Path(path).parent)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Save a figure, as a whole or not at all, in the format that its name ends in; its directory is made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        figure.savefig(partial, format=path.suffix[1:].lower(), dpi=DPI)


def figure_bytes(figure: Figure, kind: str = "png") -> bytes:
    """A figure as the content of a file of a format that matplotlib knows."""
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=DPI)
    return content.getvalue()
