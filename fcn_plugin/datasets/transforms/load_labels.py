"""Labels from palette, grey and colour pictures."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from mmengine import fileio
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import DATASETS, TRANSFORMS
from PIL import Image

from ...utils.images import count_values


class LabelPicture(NamedTuple):
    """What a file of labels is, besides its indices."""

    format: str | None  #: of the file, as Pillow names it
    colours: dict[int, tuple[int, int, int]]  #: of a palette picture, RGB of the indices that occur
    usual: bool = False  #: its palette begins with the usual colours, which are not listed

    @classmethod
    def of(cls, picture: Image.Image, indices: np.ndarray, usual: np.ndarray | None = None) -> LabelPicture:
        """Describe an open picture that has these indices, uint8 (H, W); ``usual`` is RGB of some, uint8 (n, 3)."""
        if picture.mode not in ("P", "PA"):
            return cls(picture.format, {})
        palette = picture.palette.tobytes() if picture.palette.mode == "RGB" else bytes(picture.getpalette("RGB"))
        if usual is not None and palette.startswith(usual.tobytes()):
            return cls(picture.format, {}, True)
        palette = palette.ljust(768, b"\0")
        return cls(picture.format, {index: tuple(palette[3 * index :][:3]) for index in count_values(indices)})


@TRANSFORMS.register_module()
class LoadLabels(LoadAnnotations):
    """Load a label as class indices, in whichever way the picture holds them.

    - Palette and greyscale pictures, also those of 16 bits, hold the indices themselves (a palette only shows them).
    - Colour pictures hold the colours of the dataset's palette. Other colours become the ignored index, with one
      warning that counts them. Transparency is passed over.

    The dataset's ``reduce_zero_label`` and ``label_map`` are applied as in the toolbox's ``LoadAnnotations``; a palette
    is that of the classes, so the former does not concern colours. Without a ``seg_map_path``, as in inference on plain
    pictures, nothing is loaded. The picture is never rotated: labels belong to the image as it is shown, after the
    EXIF orientation that the toolbox's ``LoadImageFromFile`` applies.

    Required keys: reduce_zero_label, seg_fields, and if there is a label, seg_map_path; label_map is optional.
    Added keys: gt_seg_map, uint8 (H, W), and unknown_pixels, the number of pixels of colours not in the palette; for
    the check of the data (``for_check``) also label_picture, a :class:`LabelPicture`.

    Args:
        palette (str | Sequence[Sequence[int]], optional): RGB of each class, or the name of the dataset that has them.
            Without it, colour pictures are an error.
        ignore_index (int): index of unknown colours.
        backend_args (dict, optional): where to read files from, as in the toolbox.

    Raises:
        ValueError: for a palette without colours; in loading, for a colour picture without a palette, a colour of
            several classes, and values that are no 8-bit indices.
    """

    def __init__(
        self,
        palette: str | Sequence[Sequence[int]] | None = None,
        ignore_index: int = 255,
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(backend_args=backend_args)
        self.palette, self.ignore_index = palette, ignore_index
        self.for_check = False  #: describe the pictures in the results, in place of a warning
        self._warned = False  # of unknown colours: once in a process
        self.colours = self._codes = self._classes = None
        if palette is not None:
            self.colours = self._colours(palette)  #: RGB of each class, uint8 (classes, 3)
            codes = encode_colours(self.colours)
            self._classes = np.argsort(codes, kind="stable")
            self._codes = codes[self._classes]

    @staticmethod
    def _colours(palette: str | Sequence[Sequence[int]]) -> np.ndarray:
        colours = palette
        if isinstance(palette, str):
            colours = getattr(DATASETS.get(palette), "METAINFO", {}).get("palette", ())
        if len(colours) == 0:
            raise ValueError(
                f"the palette of LoadLabels must be a dataset's name or a list of colours, got {palette!r}"
            )
        return np.array(colours, np.uint8)

    def transform(self, results: dict) -> dict:
        """Load the label, if there is one."""
        return super().transform(results) if results.get("seg_map_path") else results

    def _load_seg_map(self, results: dict) -> None:
        path = results["seg_map_path"]
        content = fileio.get(path, backend_args=self.backend_args)
        try:
            labels, unknown, picture = self._decode(content, results["reduce_zero_label"])
        except (OSError, ValueError) as error:
            raise ValueError(f"the label {path} cannot be read: {error}") from error
        if results.get("label_map"):
            table = np.arange(256, dtype=np.uint8)
            for old, new in results["label_map"].items():
                table[old] = new
            labels = table[labels]
        if unknown is not None:
            labels[unknown] = self.ignore_index
        results["gt_seg_map"] = labels
        results["unknown_pixels"] = 0 if unknown is None else int(np.count_nonzero(unknown))
        results["seg_fields"].append("gt_seg_map")
        if self.for_check:
            results["label_picture"] = picture
        else:
            self._warn_once(results)

    def _decode(
        self, content: bytes, reduce_zero_label: bool
    ) -> tuple[np.ndarray, np.ndarray | None, LabelPicture | None]:
        """Indices (H, W) of a picture, of a colour picture where they are unknown, and for the check what it is."""
        about = None
        with Image.open(io.BytesIO(content)) as picture:
            bands = len(picture.getbands())
            if bands > 2:
                return *self.classes_of(np.array(picture.convert("RGB"))), LabelPicture(picture.format, {})
            labels = _as_bytes(np.array(picture.getchannel(0) if bands == 2 else picture))  # the other is transparency
            if self.for_check:
                about = LabelPicture.of(picture, labels, None if reduce_zero_label else self.colours)
        if reduce_zero_label:
            labels -= 1  # 0 becomes 255
            labels[labels == 254] = 255
        return labels, None, about

    def classes_of(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Classes of the colours of a picture.

        Args:
            picture (np.ndarray): RGB, uint8 (H, W, 3).

        Returns:
            tuple[np.ndarray, np.ndarray]: classes, uint8 (H, W), and where a colour is not in the palette, bool (H, W).

        Raises:
            ValueError: without a palette, or for a colour of several classes.
        """
        if self._codes is None:
            raise ValueError("a colour picture: give LoadLabels the palette of the dataset")
        codes = encode_colours(picture)
        place = np.searchsorted(self._codes, codes).clip(max=len(self._codes) - 1)
        shared = self._codes[1:][self._codes[1:] == self._codes[:-1]]
        if len(shared) and np.isin(codes, shared).any():
            raise ValueError("a colour picture, in a palette that has the same colour for several classes")
        return self._classes[place].astype(np.uint8), self._codes[place] != codes

    def _warn_once(self, results: dict) -> None:
        if results["unknown_pixels"] and not self._warned:
            self._warned = True
            warnings.warn(
                f"{results['unknown_pixels']} pixels of {results['seg_map_path']} have colours that are not in the"
                " palette and are ignored; further labels of this kind are not mentioned",
                stacklevel=2,
            )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(palette={self.palette!r}, ignore_index={self.ignore_index},"
            f" backend_args={self.backend_args})"
        )


def encode_colours(colours: np.ndarray) -> np.ndarray:
    """RGB (..., 3) as one number each."""
    return colours.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _as_bytes(values: np.ndarray) -> np.ndarray:
    """Whole numbers of any type, and truth values, as uint8."""
    if values.dtype not in (np.uint8, np.bool_):
        lowest, highest = values.min(), values.max()
        if values.dtype.kind == "f" or lowest < 0 or highest > 255:
            raise ValueError(f"its values go from {lowest} to {highest}, expected class indices from 0 to 255")
    return values.astype(np.uint8, copy=False)
