"""Images that a run has twice: in one list, or to train on and to validate on."""

from __future__ import annotations

import filecmp
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mmseg.datasets import BaseSegDataset

from ..utils.images import is_remote
from ..utils.text import summarize
from .parts import TRAINING, Part
from .report import Report


def check_overlap(datasets: Mapping[Part, BaseSegDataset], report: Report) -> None:
    """Warn of images that are trained on and validated on, and of those that a list has twice."""
    trained: set[str] = set()
    for part, dataset in datasets.items():
        paths = [sample["img_path"] for sample in dataset.data_list]
        if len(set(paths)) < len(paths):
            seen: set[str] = set()
            twice = list(dict.fromkeys(path for path in paths if path in seen or seen.add(path)))
            where = dataset.ann_file or part.name
            report.warn(f"names that are twice in {where}: {len(twice)} ({summarize(twice)})")
        if part.loader == TRAINING:
            trained.update(paths)
    for part, dataset in datasets.items():
        both = [] if part.loader == TRAINING else _shared(trained, [sample["img_path"] for sample in dataset.data_list])
        if both:
            report.warn(
                f"images of {part.name} that are also in {TRAINING}: {len(both)} of {len(dataset.data_list)}"
                f" ({summarize(both)}); figures on them say nothing of other images"
            )


def _shared(trained: set[str], paths: Sequence[str]) -> list[str]:
    """Those of some images that are trained on, also by a link, or as a copy under the same name."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in trained:
        by_name[os.path.basename(path)].append(path)
    return [path for path in paths if any(_same(path, other) for other in by_name[os.path.basename(path)])]


def _same(path: str, other: str) -> bool:
    if path == other or is_remote(path) or is_remote(other):
        return path == other
    try:
        return os.path.samefile(path, other) or filecmp.cmp(path, other, shallow=False)
    except OSError:  # not there: the check of all images tells it
        return False
