"""Predictions as files: pictures and videos with the classes painted over them, and PNGs of class indices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ...evaluation.index_png import check_number_of_classes, write_indices
from ...evaluation.painter import Painter
from ...utils.files import atomic_write
from .sources import LABELS, OVERLAYS


class PredictionWriter:
    """Writes each file as a whole or not at all.

    - ``OUT/overlays/NAME.png``: the picture with the colours of the classes over it, by the toolbox's visualiser.
    - ``OUT/labels/NAME.png``: class indices as a palette PNG, as the data sets have them.

    Args:
        out (str | Path): directory of the predictions, made when the first one is written.
        dataset_meta (Mapping): ``classes`` and ``palette``, and ``reduce_zero_label``, if it is true.
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
        self._meta, self._reduced = dataset_meta, bool(dataset_meta.get("reduce_zero_label"))
        check_number_of_classes(len(dataset_meta["classes"]), self._reduced)
        self.out, self.overlays, self.labels, self.class_names = Path(out), overlays, labels, class_names
        self._painter = Painter(dataset_meta, opacity)
        #: Colours of the indices that are written, from 0 on.
        self.palette = [*[[0, 0, 0]] * self._reduced, *dataset_meta["palette"]]
        #: All that what is written depends on, besides pictures and predictions.
        self.settings = repr((self.palette, self._reduced, opacity, class_names))

    def write(self, name: str, image: np.ndarray, labels: np.ndarray) -> None:
        """Write what is wanted of a picture, BGR, uint8 (H, W, 3), and its class indices, uint8 (H, W).

        The name of the files, without a suffix, may have folders.
        """
        if self.overlays:
            path = self.out / OVERLAYS / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as partial:
                Image.fromarray(self.overlay(image, labels)).save(partial, format="PNG")
        if self.labels:
            self.write_labels(name, labels)

    def write_labels(self, name: str, labels: np.ndarray) -> None:
        """Write class indices, uint8 (H, W), alone."""
        write_indices(self.out / LABELS / f"{name}.png", labels, self._meta["palette"], self._reduced)

    def indices(self, labels: np.ndarray) -> np.ndarray:
        """Class indices, uint8 (H, W), as they are written: as the data set has them in its own files."""
        return labels + np.uint8(self._reduced)

    def overlay(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Paint class indices, uint8 (H, W), over a picture, BGR, uint8 (H, W, 3): RGB of the same shape."""
        return self._painter.paint(image, labels, self.class_names)
