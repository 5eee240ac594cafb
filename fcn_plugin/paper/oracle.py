"""The ceiling of mean IU: how well the truth itself does after it has been downsampled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..evaluation.confusion import IGNORE_INDEX, class_areas, confusion_matrix
from ..evaluation.fcn_metric import FCNScores, fcn_scores
from ..evaluation.index_png import MAX_PNG_CLASSES, read_indices
from ..utils.text import summarize

UPSAMPLING = ("nearest", "bilinear")


def find_labels(directory: str | Path, list_file: str | Path | None = None) -> list[Path]:
    """Find the labels ``NAME.png`` of a data set in VOC layout, all or those of a list with a NAME per line, in order.

    Raises:
        FileNotFoundError: if there is no such directory or list, no PNG in it, or a name of the list has none.
        ValueError: if the list is empty.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise FileNotFoundError(f"there is no directory {directory}: give the one that holds the labels as index PNGs")
    if list_file is None:
        if not (files := sorted(directory.glob("*.png"))):
            raise FileNotFoundError(f"there are no PNGs in {directory}: give the directory that holds the labels")
        return files
    if not Path(list_file).is_file():
        raise FileNotFoundError(f"there is no list {list_file}: give a text file with a name per line")
    files = [directory / f"{name.strip()}.png" for name in Path(list_file).read_text().splitlines() if name.strip()]
    if not files:
        raise ValueError(f"the list {list_file} is empty: give a text file with a name per line")
    if missing := [file.name for file in files if not file.is_file()]:
        raise FileNotFoundError(f"{directory} does not have {summarize(missing, 1)} of the list {list_file}")
    return files


def oracle_prediction(
    label: Tensor, factor: int, ignore_index: int = IGNORE_INDEX, upsampling: str = "nearest"
) -> Tensor:
    """Downsample a label by a factor and upsample it back.

    A cell of the coarse map covers ``factor`` x ``factor`` pixels, from the top left on; those at the right and bottom
    are cut off where the picture ends. Each cell counts its pixels of each class, ignored ones left out.

    With ``nearest``, a cell has one label: the class of most pixels, of equally many the one with the lowest index. No
    other map of one label per cell has a higher pixel accuracy. With ``bilinear``, the counts are upsampled as an FCN
    upsamples its scores, between the centres of the cells, and each pixel has the class of the highest count; a
    score per class says more than one label, so this ceiling is higher.

    Args:
        label (Tensor): class indices (H, W).
        factor (int): 1 or more.
        ignore_index (int): pixels of this index are in no class.
        upsampling (str): 'nearest' or 'bilinear'.

    Returns:
        Tensor: class indices (H, W); any class of the label where a cell has ignored pixels alone, and
        ``ignore_index`` everywhere if the label has no other.

    Source: section 6 of the PAMI paper, "Upper Bounds on IU", which does not say how it resamples.
    """
    classes = label[label != ignore_index].unique()
    if not len(classes):
        return label.clone()
    height, width = label.shape
    one_hot = (label == classes[:, None, None]).float()[None]
    counts = F.avg_pool2d(one_hot, factor, ceil_mode=True, divisor_override=1)  # the last cells may be incomplete
    if upsampling == "bilinear":
        counts = F.interpolate(counts, scale_factor=factor, mode="bilinear", align_corners=False)
        return classes[_highest(counts[0, :, :height, :width])]
    coarse = classes[_highest(counts[0])]
    return coarse.repeat_interleave(factor, dim=0).repeat_interleave(factor, dim=1)[:height, :width]


def _highest(counts: Tensor) -> Tensor:
    """Index of the highest count (K, h, w), the first of equal ones: as argmax, in a twentieth of its time on a CPU."""
    return counts.max(dim=0).indices


def oracle_scores(
    files: Sequence[Path],
    factors: Sequence[int],
    num_classes: int | None = None,
    ignore_index: int = IGNORE_INDEX,
    upsampling: str = "nearest",
    progress: Callable[[Iterable], Iterable] = iter,
) -> dict[int, FCNScores]:
    """Score labels that were downsampled and upsampled back (:func:`oracle_prediction`) against themselves.

    Args:
        files (Sequence[Path]): labels as index PNGs, palette or grey.
        factors (Sequence[int]): of the downsampling, each 1 or more.
        num_classes (int, optional): a higher index is an error; by default there are as many classes as are found.
        ignore_index (int): pixels of this index do not count.
        upsampling (str): 'nearest' or 'bilinear'.
        progress (Callable[[Iterable], Iterable]): passes on the results of the files and may show how many there are.

    Returns:
        dict[int, FCNScores]: over all files together, by factor. Classes that do not occur have NaN.

    Raises:
        ValueError: if there are no files; for a factor, a number of classes or an upsampling out of range; naming the
            file, for one that is not an index PNG or has indices beyond the classes; if no pixel at all is labelled.
    """
    if not files:
        raise ValueError("no labels were given")
    if not factors or min(factors) < 1:
        raise ValueError(f"each factor of the downsampling must be 1 or more, got {list(factors)}")
    if num_classes is not None and not 1 <= num_classes <= MAX_PNG_CLASSES:
        raise ValueError(f"index PNGs hold 1 to {MAX_PNG_CLASSES} classes, got num_classes={num_classes}")
    if upsampling not in UPSAMPLING:
        raise ValueError(f"upsampling must be one of {', '.join(UPSAMPLING)}, got {upsampling!r}")
    count = partial(_count, factors, num_classes or MAX_PNG_CLASSES, ignore_index, upsampling)
    totals: np.ndarray | int = 0
    # torch and PIL work outside Python's lock; each thread keeps to one core
    with ThreadPoolExecutor(initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for areas in progress(pool.map(count, files)):
            totals = totals + areas
    scores = {factor: fcn_scores(*areas) for factor, areas in zip(factors, totals)}
    if np.isnan(next(iter(scores.values())).pixel_accuracy):
        raise ValueError(f"no pixel of the {len(files)} labels is labelled: all have the ignored index {ignore_index}")
    return scores


def _count(factors: Sequence[int], num_classes: int, ignore_index: int, upsampling: str, file: Path) -> np.ndarray:
    """Areas of each factor, int64 (len(factors), 3, num_classes)."""
    label, areas = torch.from_numpy(read_indices(file)), []
    for factor in factors:
        prediction = oracle_prediction(label, factor, ignore_index, upsampling)
        try:
            areas.append(class_areas(confusion_matrix(prediction, label, num_classes, ignore_index)))
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
    return np.stack(areas)
