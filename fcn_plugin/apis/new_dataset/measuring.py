"""What is known of a picture and its labels once both have been read, and of all of them together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ...datasets.annotations.annotated import AnnotatedSet
from ...utils.images import count_values
from ...utils.text import summarize
from .facts import DatasetFacts

IGNORED = 255  #: the index of pixels without a class
OF_OPENCV = {np.dtype(kind) for kind in (np.uint8, np.uint16, np.float32, np.float64)}
WITHOUT_TRANSPARENCY = (".tif", ".tiff", ".npy")  #: suffixes of pictures whose fourth band is one like the others


class PictureError(ValueError):
    """What is wrong with a picture or its labels.

    Args:
        kind (str): in words for several pictures.
        detail (str): of this one.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail = kind, detail


@dataclass(frozen=True)
class Measured:
    """A picture and its labels in figures.

    Attributes:
        image: the file of the picture.
        size: (height, width) as it is shown.
        bits: of its values.
        alpha: whether the last band is a transparency.
        mean: by band; of colours red first.
        std: by band.
        content: of the picture's pixels, the same for the same pixels.
        labels: the same for the same labels.
        pixels: of the labels, by index.
    """

    image: Path
    size: tuple[int, int]
    bits: int
    alpha: bool
    mean: np.ndarray = field(repr=False)
    std: np.ndarray = field(repr=False)
    content: str
    labels: str
    pixels: dict[int, int]

    @property
    def classes(self) -> set[int]:
        """Those that occur."""
        return self.pixels.keys() - {IGNORED}


def measure(path: Path, image: np.ndarray, labels: np.ndarray, num_classes: int) -> Measured:
    """Measure a picture and its labels.

    Args:
        path (Path): of the picture.
        image (np.ndarray): (H, W, bands), see :func:`read_picture`.
        labels (np.ndarray): uint8 (H, W).
        num_classes (int): number of classes.

    Raises:
        PictureError: if the labels have another size than the picture, or indices that are no class.
    """
    height, width, bands = image.shape
    if labels.shape != (height, width):
        sizes = f"{path.name} is {width}x{height}, its labels {labels.shape[1]}x{labels.shape[0]}"
        raise PictureError("labels of another size than their picture (width x height)", sizes)
    pixels = count_values(labels)
    if unknown := [index for index in pixels if index >= num_classes and index != IGNORED]:
        found = summarize(list(map(str, unknown)))
        raise PictureError("labels with indices that are no class", f"{path.name}: {found}")
    values = image if image.dtype in OF_OPENCV else image.astype(np.float64)
    by_band = [cv2.meanStdDev(np.ascontiguousarray(values[..., band])) for band in range(bands)]
    mean, std = np.array(by_band)[..., 0, 0].T
    if not np.isfinite(mean).all():
        raise PictureError("pictures with values that are not finite", path.name)
    if bands == 3:
        mean, std = mean[::-1], std[::-1]
    alpha = bands in (2, 4) and image.dtype == np.uint8 and path.suffix.lower() not in WITHOUT_TRANSPARENCY
    pixels_of_image, pixels_of_labels = map(_digest, (image, labels))
    bits = image.dtype.itemsize * 8
    return Measured(path, (height, width), bits, alpha, mean, std, pixels_of_image, pixels_of_labels, pixels)


def _digest(array: np.ndarray) -> str:
    content = hashlib.blake2b(np.ascontiguousarray(array), digest_size=16)
    return f"{array.dtype} {array.shape} {content.hexdigest()}"


def common_bands(pictures: Sequence[Measured], wanted: int | None) -> int:
    """The number of bands that all pictures can be read with.

    Of 8 bits, grey ones among pictures in colour count as colour, as the toolbox loads them, and a transparency is no
    band, unless it is asked for.

    Args:
        pictures (Sequence[Measured]): all of them.
        wanted (int, optional): the number that the user asks for.

    Raises:
        ValueError: if they differ, also in bits, or do not have the number that is asked for.
    """
    by_bits = {bits: [p.image.name for p in pictures if p.bits == bits] for bits in sorted({p.bits for p in pictures})}
    if len(by_bits) > 1:
        found = "; ".join(f"{bits}: {summarize(names, 3)}" for bits, names in by_bits.items())
        raise ValueError(f"pictures must have the same number of bits, but there are with {found}")
    shallow = 8 in by_bits
    by_bands: dict[int, list[str]] = {}
    for picture in pictures:
        bands = len(picture.mean)
        colours = bands - picture.alpha
        bands = wanted if wanted == bands or (shallow and wanted == 3 and colours == 1) else colours
        by_bands.setdefault(bands, []).append(picture.image.name)
    if by_bands.keys() == {1, 3} and wanted is None and shallow:
        return 3
    if len(by_bands) > 1 or wanted not in (None, *by_bands):
        found = "; ".join(f"{bands}: {summarize(names, 3)}" for bands, names in sorted(by_bands.items()))
        raise ValueError(f"pictures must have {wanted or 'the same number of'} bands, but there are with {found}")
    return next(iter(by_bands))


def facts_of(
    annotated: AnnotatedSet, pictures: Sequence[Measured], lists: Sequence[str], bands: int, image_suffix: str
) -> DatasetFacts:
    """What the settings of a training follow from.

    Args:
        annotated (AnnotatedSet): has the classes.
        pictures (Sequence[Measured]): in its order.
        lists (Sequence[str]): the list of each.
        bands (int): of all pictures.
        image_suffix (str): of their files.
    """
    train = [picture for picture, name in zip(pictures, lists) if name == "train"]
    weights = np.array([picture.size[0] * picture.size[1] for picture in train], float)
    mean, square = np.average(
        [[m := _for_bands(picture.mean, bands), _for_bands(picture.std, bands) ** 2 + m**2] for picture in train],
        axis=0,
        weights=weights,
    )
    return DatasetFacts(
        classes=annotated.classes,
        palette=annotated.palette,
        splits={name: lists.count(name) for name in ("train", "val", "test") if name in lists},
        sizes=[picture.size for picture in train],
        largest=max((picture.size for picture in pictures), key=np.prod),
        bands=bands,
        bits=pictures[0].bits,
        mean=mean.tolist(),
        std=np.sqrt((square - mean**2).clip(min=0)).tolist(),
        class_pixels=[
            sum(picture.pixels.get(index, 0) for picture in train) for index in range(len(annotated.classes))
        ],
        image_suffix=image_suffix,
    )


def _for_bands(values: np.ndarray, bands: int) -> np.ndarray:
    """Figures by band of a picture that is read with a number of bands: grey is repeated, transparency left out."""
    grey = len(values) < 3 <= bands
    return np.repeat(values[:1], bands) if grey else values[:bands]
