"""SBD's labels: from MATLAB files to palette PNGs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import loadmat

from ..sbd import SBDDataset
from ..shapes_generator import voc_palette
from .files import write_label

VALUES = np.arange(len(SBDDataset.METAINFO["classes"]), dtype=np.uint8)  # SBD has no ignored border


def convert_label(name: str, mat_folder: Path, image_folder: Path, out: Path) -> None:
    """Write the classes of the pixels in NAME.mat, of SBD's ``cls``, as NAME.png with VOC's palette.

    Raises:
        ValueError: if the file is damaged, is not such a label, or is not as large as its image.
    """
    path = mat_folder / f"{name}.mat"
    try:
        label = loadmat(path)["GTcls"]["Segmentation"][0, 0]
    except Exception as error:  # scipy raises almost anything for a damaged file
        raise ValueError(f"{path} is no label: {error}") from error
    with Image.open(image_folder / f"{name}.jpg") as image:
        write_label(out / f"{name}.png", label, path, image.size, VALUES, voc_palette())
