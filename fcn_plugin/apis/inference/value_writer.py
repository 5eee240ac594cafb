"""Values of each pixel as files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from ...utils.bands import INSTALL
from ...utils.files import atomic_write
from ...utils.tiled_tiff import write_tiled
from .outputs import Output

FORMATS = ("png", "tiff", "npz")


def check_format(format: str, outputs: Sequence[Output]) -> None:
    """Check that outputs can be written in a format.

    Raises:
        ValueError: for an unknown format, PNGs of other values than uint8, and TIFFs without their package.
    """
    if format not in FORMATS:
        raise ValueError(f"the format must be one of {', '.join(FORMATS)}, got {format!r}")
    if format == "tiff" and find_spec("tifffile") is None:
        raise ValueError(f"TIFFs need a package: {INSTALL}")
    for output in outputs:
        if format == "png" and output.dtype != np.uint8:
            raise ValueError(f"PNGs hold no {output.name} of {output.dtype}: choose tiff or npz, or the type uint8")


def write_values(path: Path, output: Output, values: np.ndarray, format: str, geo_tags: Sequence[tuple] = ()) -> None:
    """Write values (B, H, W), each file as a whole or not at all.

    - ``npz``: ``NAME.npz`` with the values by the name of their kind, and ``classes``, the names of the bands.
    - ``tiff``: ``NAME.tif`` with all bands, in compressed tiles.
    - ``png``: ``NAME.png``, of several bands ``NAME/BAND.png`` (a ``/`` in a name of a band is written ``_``).

    Args:
        path (Path): without a suffix.
        output (Output): what the values are.
        values (np.ndarray): as from :meth:`Output.values`.
        format (str): one of :data:`FORMATS`.
        geo_tags (Sequence[tuple]): for a TIFF, where on the earth the picture lies.

    Raises:
        CannotWriteError: if it cannot be written.
    """
    if format == "tiff":
        target = path.with_name(f"{path.name}.tif")
        write_tiled(target, values.shape, values.dtype, lambda band, rows: values[band, rows], geo_tags=geo_tags)
    elif format == "npz":
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path.with_name(f"{path.name}.npz")) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, **{output.name: values}, classes=np.array(output.bands))
    else:
        several = len(output.bands) > 1
        for band, image in zip(output.bands, values):
            target = path / f"{band.replace('/', '_')}.png" if several else path.with_name(f"{path.name}.png")
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(target) as partial:
                Image.fromarray(image).save(partial, format="PNG")
