"""Models compared image by image, by the predictions that they left."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..evaluation.confusion import class_areas, confusion_matrix
from ..evaluation.fcn_metric import FCNScores, fcn_scores
from ..utils.files import atomic_write, check_writable
from .confusion import draw_confusion
from .evaluation_set import EvaluationSet
from .figures import save_figure
from .side_by_side import row_figure


@dataclass(frozen=True)
class Comparison:
    """What several models predicted of the same images.

    Attributes:
        data: the images.
        directories: of the predictions, by model.
        areas: by model, those of each image (:func:`class_areas`), int64 (images, 3, num_classes).
        confusion: by model, int64 (num_classes, num_classes), over all images.
    """

    data: EvaluationSet
    directories: Mapping[str, Path]
    areas: Mapping[str, np.ndarray]
    confusion: Mapping[str, np.ndarray]

    def scores(self, model: str, index: int | None = None) -> FCNScores:
        """A model's figures in one image, or in all together."""
        areas = self.areas[model]
        return fcn_scores(*(areas.sum(axis=0) if index is None else areas[index]))

    def worst_first(self, model: str | None = None) -> list[int]:
        """The images from the lowest to the highest mean IU of a model, by default the last; without those of no label.

        Raises:
            ValueError: if there is no such model.
        """
        model = list(self.areas)[-1] if model is None else model
        if model not in self.areas:
            raise ValueError(f"there is no model {model!r} to sort by, only {', '.join(self.areas)}")
        means = [self.scores(model, index).mean_iu for index in range(len(self.data))]
        return [index for index in np.argsort(means, kind="stable").tolist() if np.isfinite(means[index])]

    def row(self, index: int) -> Figure:
        """An image, its truth and the predictions of all models, with the mean IU of each in this image."""
        indices = {"truth": self.data.label(index)}
        for model, directory in self.directories.items():
            caption = f"{model}: mIoU {100 * self.scores(model, index).mean_iu:.1f}"
            indices[caption] = self.data.prediction(index, directory)
        return row_figure(self.data.image(index), indices, self.data.classes, self.data.palette)


def compare(data: EvaluationSet, directories: Mapping[str, Path], progress: Iterable[int] | None = None) -> Comparison:
    """Count, image by image, what the models predicted; ``progress`` may be ``range(len(data))`` in a progress bar.

    Raises:
        FileNotFoundError: if predictions are missing.
        ValueError: naming the image, if a prediction does not fit its label; if there is no model.
    """
    if not directories:
        raise ValueError("there are no predictions to compare")
    data.check_predictions(directories)
    number = len(data.classes)
    areas = {model: np.zeros((len(data), 3, number), np.int64) for model in directories}
    confusion = {model: np.zeros((number, number), np.int64) for model in directories}
    for index in range(len(data)) if progress is None else progress:
        label = data.label(index)
        for model, directory in directories.items():
            try:
                counts = confusion_matrix(data.prediction(index, directory), label, number)
            except ValueError as error:
                raise ValueError(f"{data.names[index]} of {model}: {error}") from error
            areas[model][index] = class_areas(counts)
            confusion[model] += counts
    return Comparison(data, directories, areas, confusion)


def write_comparison(comparison: Comparison, out: str | Path, rows: int = 10, sort: str | None = None) -> list[Path]:
    """Write a comparison as files.

    - ``images.csv``: the mean IU, the pixel accuracy and the IU of each class, in percent, of each image and model;
      what is undefined is empty;
    - ``confusion_MODEL.csv``, the counts, and ``confusion_MODEL.png``, in percent of each true class;
    - ``rows/NUMBER_NAME.png``: the images with the lowest mean IU, the lowest first.

    Args:
        comparison (Comparison): from :func:`compare`.
        out (str | Path): directory to make; it must not have any files yet.
        rows (int): how many rows of pictures.
        sort (str, optional): the model by whose mean IU the rows are chosen, by default the last.

    Raises:
        FileExistsError: if there are files in the directory.
        ValueError: for fewer than 0 rows, or an unknown model.
    """
    if rows < 0:
        raise ValueError(f"the number of rows must be at least 0, got {rows}")
    out, worst = Path(out), comparison.worst_first(sort)[:rows]
    check_empty(out)
    out.mkdir(parents=True, exist_ok=True)
    classes, files = comparison.data.classes, [out / "images.csv"]
    heading = ["image", "model", "mIoU", "aAcc", *(f"IoU {name}" for name in classes)]
    _write_csv(files[0], heading, _image_scores(comparison))
    for model, matrix in comparison.confusion.items():
        files += [out / f"confusion_{model}.csv", out / f"confusion_{model}.png"]
        counts = ([name, *row] for name, row in zip(classes, matrix.tolist()))
        _write_csv(files[-2], ["truth \\ predicted", *classes], counts)
        save_figure(draw_confusion(matrix, classes, model), files[-1])
    for place, index in enumerate(worst, start=1):
        files.append(out / "rows" / f"{place:04d}_{comparison.data.names[index].replace('/', '_')}.png")
        save_figure(comparison.row(index), files[-1])
    return files


def check_empty(out: str | Path) -> None:
    """Check that a directory is empty or not there.

    Raises:
        FileExistsError: if it is a file or has files.
        CannotWriteError: if it cannot be made.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} is there already: give another --out, or remove it")
    check_writable(out)


def _image_scores(comparison: Comparison) -> Iterable[list[str]]:
    for index, name in enumerate(comparison.data.names):
        for model in comparison.areas:
            scores = comparison.scores(model, index)
            figures = (scores.mean_iu, scores.pixel_accuracy, *scores.class_iu)
            yield [name, model, *(f"{100 * x:.2f}" if np.isfinite(x) else "" for x in figures)]


def _write_csv(path: Path, heading: list[str], rows: Iterable[list]) -> None:
    with atomic_write(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([heading, *rows])
