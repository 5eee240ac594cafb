"""Predictions as files: pictures and videos with the classes painted over them, and PNGs of class indices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer
from PIL import Image

from ...evaluation.index_png import MAX_PNG_CLASSES
from ...utils.files import atomic_write
from .sources import LABELS, OVERLAYS


class PredictionWriter:
    """Writes each file as a whole or not at all.

    - ``OUT/overlays/NAME.png``: the picture with the colours of the classes over it, by the toolbox's visualiser.
    - ``OUT/labels/NAME.png``: class indices as a palette PNG, as the data sets have them.

    Args:
        out (str | Path): directory of the predictions, made when the first one is written.
        dataset_meta (Mapping): ``classes`` and ``palette``.
        opacity (float): of the colours of the classes, from 0 to 1.
        overlays, labels (bool): what to write.
        class_names (bool): whether to write the names of the classes into the overlays.

    Raises:
        ValueError: for another opacity, more classes than PNGs of indices hold, or nothing to write.
    """

    def __init__(
        self,
        out: str | Path,
        dataset_meta: Mapping,
        opacity: float = 0.5,
        overlays: bool = True,
        labels: bool = True,
        class_names: bool = False,
    ) -> None:
        if not 0 <= opacity <= 1:
            raise ValueError(f"the opacity must be from 0 (the picture alone) to 1, got {opacity}")
        if not (overlays or labels):
            raise ValueError("neither overlays nor labels are wanted: there is nothing to write")
        if (number := len(dataset_meta["classes"])) > MAX_PNG_CLASSES:
            raise ValueError(f"PNGs of class indices hold {MAX_PNG_CLASSES} classes, the model has {number}")
        self.out, self.overlays, self.labels, self.class_names = Path(out), overlays, labels, class_names
        self._palette = np.array(dataset_meta["palette"], np.uint8).tobytes()
        self._visualizer = SegLocalVisualizer(alpha=opacity)
        # its arguments classes and palette take each other's place
        self._visualizer.dataset_meta = dict(dataset_meta)

    def write(self, name: str, image: np.ndarray, labels: np.ndarray) -> None:
        """Write what is wanted of a picture, BGR, uint8 (H, W, 3), and its class indices, uint8 (H, W).

        The name of the files, without a suffix, may have folders.
        """
        if self.overlays:
            self._save(Image.fromarray(self.overlay(image, labels)), self.out / OVERLAYS / f"{name}.png")
        if self.labels:
            self.write_labels(name, labels)

    def write_labels(self, name: str, labels: np.ndarray) -> None:
        """Write class indices, uint8 (H, W), alone."""
        picture = Image.fromarray(labels)
        picture.putpalette(self._palette)
        self._save(picture, self.out / LABELS / f"{name}.png")

    def overlay(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Paint class indices, uint8 (H, W), over a picture, BGR, uint8 (H, W, 3): RGB of the same shape."""
        sample = SegDataSample(pred_sem_seg=PixelData(data=labels[None]))  # a tensor of one pixel is not painted
        self._visualizer.add_datasample("", image[..., ::-1], sample, draw_gt=False, with_labels=self.class_names)
        return self._visualizer.get_image()

    @staticmethod
    def _save(picture: Image.Image, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            picture.save(partial, format="PNG")
