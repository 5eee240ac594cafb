"""Dense class heat maps of an ImageNet classifier, as pictures: figure 2 of the FCN paper."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..utils.text import summarize
from ..visualization.figures import check_picture_name, read_image, save_figure
from ..weights.download import local_file
from ..weights.importing import import_weights, set_preprocessing
from ..weights.preprocessing import named_preprocessing
from .class_scores import ClassScores, build_classifier, class_scores, number_of_classes


def read_names(path: str | Path, num_classes: int) -> list[str]:
    """Read the names of the classes, one a line.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if there are not as many names as classes.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file of names {path}")
    names = [line.strip() for line in Path(path).read_text(encoding="utf-8").rstrip().splitlines()]
    if len(names) != num_classes:
        raise ValueError(f"{path} has {len(names)} names, one a line, but the classifier has {num_classes} classes")
    return names


def find_class(wanted: str, num_classes: int, names: Sequence[str] | None = None) -> int:
    """The index of a class that is given by its index or by its name, or a part of it that no other name has.

    Raises:
        ValueError: if the index is out of range, or the name is not one of the names or is part of several.
    """
    if re.fullmatch(r"-?\d+", wanted):
        if not 0 <= int(wanted) < num_classes:
            raise ValueError(f"class {wanted} is out of range: the classifier has classes 0 to {num_classes - 1}")
        return int(wanted)
    if names is None:
        raise ValueError(f"the class {wanted!r} is not an index, and no names of the classes are given")
    lower = [name.lower() for name in names]
    found = [i for i, name in enumerate(lower) if name == wanted.lower()]
    found = found or [i for i, name in enumerate(lower) if wanted.lower() in name]
    if len(found) != 1:
        those = f" ({summarize([f'{i} {names[i]}' for i in found])})" if found else ""
        raise ValueError(f"{len(found)} of the names have {wanted!r}{those}: give one of the names, or an index")
    return found[0]


def label(index: int, names: Sequence[str] | None = None) -> str:
    """A class by its index and, if known, the start of its name."""
    return textwrap.shorten(f"class {index} {names[index] if names else ''}", 40, placeholder=" ...")


def draw_heat_maps(
    file: str | Path,
    image: np.ndarray,
    scores: ClassScores,
    classes: Sequence[int],
    names: Sequence[str] | None = None,
) -> None:
    """Save a row of pictures for each of some classes: the image, the score of each cell in its place, of each pixel.

    The image is RGB, uint8 (H, W, 3); ``names`` are those of all classes.
    """
    height, width = scores.image_size
    dense = scores.upsample(scores.cells[list(classes)]).numpy()
    # matplotlib's pixels and cells end half a pixel and half a cell from their centres
    borders = [float(scores.coord_map.pixel(cell - Fraction(1, 2))) for cell in (0, *scores.cells.shape[1:])]
    figure = Figure(figsize=(10, len(classes) * (3 * min(height / width, 3) + 0.9)), layout="constrained")
    for index, pixels, axes in zip(classes, dense, figure.subplots(len(classes), 3, squeeze=False)):
        cells = scores.cells[index].numpy()
        scale = dict(vmin=cells.min(), vmax=cells.max(), cmap="viridis", interpolation="nearest")
        axes[0].imshow(image)
        axes[1].imshow(cells, extent=(borders[0], borders[2], borders[1], borders[0]), **scale)
        drawn = axes[2].imshow(pixels, **scale)
        figure.colorbar(drawn, ax=axes, label="score", shrink=0.8)
        titles = f"{label(index, names)}\n{scores.describe(index)}", "each cell", "each pixel"
        for axis, title in zip(axes, titles):
            axis.set(title=title, xticks=[], yticks=[], xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    save_figure(figure, file)


def write_heat_maps(
    weights: str,
    image: str | Path,
    out: str | Path,
    classes: Sequence[str] = (),
    top: int = 1,
    names: str | Path | None = None,
    preprocessing: str | None = None,
    config: str | None = None,
) -> list[str]:
    """Draw the heat maps of some classes in an image, everything from files.

    Args:
        weights (str): an ImageNet classifier of any source that :func:`import_weights` knows, path or URL.
        image (str | Path): an image.
        out (str | Path): picture to write.
        classes (Sequence[str]): indices or names, see :func:`find_class`; none for those of the highest scores.
        top (int): how many of the highest, if no classes are given.
        names (str | Path, optional): file of the classes' names, one a line.
        preprocessing (str, optional): see :func:`set_preprocessing`.
        config (str, optional): see :func:`build_classifier`.

    Returns:
        list[str]: a line for each class drawn, its highest score and its probability there.

    Raises:
        FileNotFoundError, ValueError: for files that are missing or unfit, unknown classes, or a picture format that
            cannot be written; nothing is written then.
    """
    check_picture_name(out)
    named_preprocessing(preprocessing)
    picture = read_image(image)
    checkpoint = import_weights(local_file(weights))
    num_classes = number_of_classes(checkpoint)
    set_preprocessing(checkpoint, preprocessing, weights)
    class_names = None if names is None else read_names(names, num_classes)
    indices = [find_class(wanted, num_classes, class_names) for wanted in classes]
    scores = class_scores(build_classifier(checkpoint, config), picture[..., ::-1].copy())
    indices = indices or scores.highest(top)
    draw_heat_maps(out, picture, scores, indices, class_names)
    return [f"{label(index, class_names)}: {scores.describe(index)}" for index in indices]
