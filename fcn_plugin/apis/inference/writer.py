"""Predictions as files: pictures with the classes painted over them, class indices, and values of each pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ...evaluation.index_png import check_number_of_classes, write_indices
from ...evaluation.painter import Painter
from ...utils.files import atomic_write
from ...utils.tiled_tiff import write_tiled
from .outputs import Output
from .polygon_writer import PolygonWriter
from .sources import LABELS, OVERLAYS
from .value_writer import check_format, write_values


class PredictionWriter:
    """Writes each file as a whole or not at all.

    - ``OUT/overlays/NAME.png``: the picture with the colours of the classes over it, by the toolbox's visualiser.
    - ``OUT/labels/NAME.png``: class indices as a palette PNG, as the data sets have them.
    - ``OUT/KIND/NAME.npz`` of further outputs, or other formats (:func:`write_values`).

    Args:
        out (str | Path): directory of the predictions, made when the first one is written.
        dataset_meta (Mapping): ``classes`` and ``palette``, and ``reduce_zero_label``, if it is true.
        opacity (float): of the colours of the classes, from 0 to 1.
        overlays, labels (bool): what to write.
        class_names (bool): whether to write the names of the classes into the overlays.
        outputs (Sequence[Output]): what else to write.
        format (str, optional): ``tiff`` for all, with where on the earth a TIFF lies; ``npz`` or ``png`` for the
            further outputs. By default these are ``npz``, and the others PNGs.
        polygons (PolygonWriter, optional): writes polygons, too; of large pictures, labels are then written as well.

    Raises:
        ValueError: for another opacity, more classes than PNGs of indices hold, an unknown format or one that does not
            hold an output, or nothing to write.
    """

    def __init__(
        self,
        out: str | Path,
        dataset_meta: Mapping,
        opacity: float = 0.5,
        overlays: bool = True,
        labels: bool = True,
        class_names: bool = False,
        outputs: Sequence[Output] = (),
        format: str | None = None,
        polygons: PolygonWriter | None = None,
    ) -> None:
        if not 0 <= opacity <= 1:
            raise ValueError(f"the opacity must be from 0 (the picture alone) to 1, got {opacity}")
        if not (overlays or labels or outputs or polygons):
            raise ValueError("neither overlays nor labels are wanted: there is nothing to write")
        check_format(format or "npz", outputs)
        self._meta, self._reduced = dataset_meta, bool(dataset_meta.get("reduce_zero_label"))
        check_number_of_classes(len(dataset_meta["classes"]), self._reduced)
        self.out, self.overlays, self.labels, self.class_names = Path(out), overlays, labels, class_names
        self.outputs, self.format, self.polygons = outputs, format, polygons
        self._painter = Painter(dataset_meta, opacity)
        #: Colours of the indices that are written, from 0 on.
        self.palette = [*[[0, 0, 0]] * self._reduced, *dataset_meta["palette"]]
        #: All that what is written depends on, besides pictures and predictions.
        self.settings = repr((self.palette, self._reduced, opacity, class_names, [one.bands for one in outputs]))

    def write(
        self,
        name: str,
        image: np.ndarray,
        labels: np.ndarray,
        values: Mapping[str, np.ndarray] | None = None,
        geo_tags: Sequence[tuple] = (),
    ) -> None:
        """Write what is wanted of a picture.

        Args:
            name (str): of the files, without a suffix; it may have folders.
            image (np.ndarray): the picture, BGR, uint8 (H, W, 3).
            labels (np.ndarray): its class indices, uint8 (H, W).
            values (Mapping[str, np.ndarray], optional): values (B, H, W) of the further outputs, by their names.
            geo_tags (Sequence[tuple]): where on the earth it lies, for TIFFs.
        """
        for output in self.outputs:
            write_values(self.out / output.name / name, output, values[output.name], self.format or "npz", geo_tags)
        if self.format == "tiff":
            self._write_tiffs(name, image, labels, geo_tags)
            return
        if self.overlays:
            path = self.out / OVERLAYS / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as partial:
                Image.fromarray(self.overlay(image, labels)).save(partial, format="PNG")
        if self.labels:
            self.write_labels(name, labels)

    def _write_tiffs(self, name: str, image: np.ndarray, labels: np.ndarray, geo_tags: Sequence[tuple]) -> None:
        if self.overlays:
            planes, path = self.overlay(image, labels).transpose(2, 0, 1), self.out / OVERLAYS / f"{name}.tif"
            write_tiled(
                path, planes.shape, np.uint8, lambda band, rows: planes[band, rows], colour=True, geo_tags=geo_tags
            )
        if self.labels:
            plane, path = self.indices(labels), self.out / LABELS / f"{name}.tif"
            write_tiled(path, (1, *plane.shape), np.uint8, lambda _, rows: plane[rows], self.palette, geo_tags=geo_tags)

    def write_labels(self, name: str, labels: np.ndarray) -> None:
        """Write class indices, uint8 (H, W), alone."""
        write_indices(self.out / LABELS / f"{name}.png", labels, self._meta["palette"], self._reduced)

    def indices(self, labels: np.ndarray) -> np.ndarray:
        """Class indices, uint8 (H, W), as they are written: as the data set has them in its own files."""
        return labels + np.uint8(self._reduced)

    def labels_of(self, indices: np.ndarray) -> np.ndarray:
        """The reverse of :meth:`indices`."""
        return indices - np.uint8(self._reduced)

    def overlay(self, image: np.ndarray, labels: np.ndarray, names: bool = True) -> np.ndarray:
        """Paint class indices, uint8 (H, W), over a picture, BGR, uint8 (H, W, 3): RGB of the same shape.

        Without ``names``, those of the classes are left out in any case.
        """
        return self._painter.paint(image, labels, self.class_names and names)
