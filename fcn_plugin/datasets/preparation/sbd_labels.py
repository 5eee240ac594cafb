"""SBD's labels: from MATLAB files to palette PNGs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import loadmat

from ...utils.files import atomic_write
from ..sbd import SBDDataset
from ..shapes_generator import voc_palette
from .files import for_each, missing_files

NUM_CLASSES = len(SBDDataset.METAINFO["classes"])


def read_label(path: Path) -> np.ndarray:
    """The classes of the pixels in a file of SBD's ``cls``.

    Returns:
        np.ndarray: uint8 (H, W), 0 for background to 20; SBD has no ignored border.

    Raises:
        ValueError: if the file is damaged or is not such a label.
    """
    try:
        label = loadmat(path)["GTcls"]["Segmentation"][0, 0]
    except Exception as error:  # scipy raises almost anything for a damaged file
        raise ValueError(f"{path} is not a label of SBD: {error}") from error
    if label.ndim != 2 or label.dtype != np.uint8 or label.max() >= NUM_CLASSES:
        raise ValueError(f"{path} is not a label of SBD: {label.dtype} {label.shape}, values up to {label.max()}")
    return label


def convert_label(name: str, mat_folder: Path, image_folder: Path, out: Path) -> None:
    """Write one label as a PNG with VOC's palette.

    Raises:
        ValueError: if it is not a label, or is not as large as its image.
    """
    label = read_label(mat_folder / f"{name}.mat")
    with Image.open(image_folder / f"{name}.jpg") as image:
        if image.size != label.shape[::-1]:
            raise ValueError(f"{mat_folder / name}.mat is {label.shape[::-1]}, but its image {image.size} pixels large")
    png = Image.fromarray(label)
    png.putpalette(voc_palette().tobytes())
    with atomic_write(out / f"{name}.png") as path:
        png.save(path, format="PNG")


def convert_labels(names: Sequence[str], mat_folder: Path, image_folder: Path, out: Path, workers: int) -> None:
    """Convert the labels that ``out`` does not have yet.

    Args:
        names (Sequence[str]): of the images.
        mat_folder (Path): has NAME.mat.
        image_folder (Path): has NAME.jpg.
        out (Path): for NAME.png; made if need be.
        workers (int): number of processes.

    Raises:
        ValueError: as :func:`convert_label`.
    """
    out.mkdir(parents=True, exist_ok=True)
    convert = partial(convert_label, mat_folder=mat_folder, image_folder=image_folder, out=out)
    for_each(convert, missing_files(out, names, ".png"), workers, "Converting SBD's labels")
