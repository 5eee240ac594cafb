"""What can be wrong with one image and its label."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from mmcv.transforms import LoadAnnotations
from PIL import Image

from ..datasets.transforms import LoadLabels
from ..utils.images import is_remote, orientation_of
from ..utils.text import first_line
from .loaders import loaders_of, reads_local_files

MAX_VALUES = 8  #: indices to name


@dataclass
class Findings:
    """What was found in one sample.

    Attributes:
        problems: kind and description of each, see :data:`KINDS`.
        unknown_pixels: label pixels whose colour is not in the palette, which are ignored.
        turned: whether the image is turned by an EXIF orientation that the size of the label cannot confirm.
    """

    problems: list[tuple[str, str]] = field(default_factory=list)
    unknown_pixels: int = 0
    turned: bool = False


class SampleCheck:
    """Read samples with the loading transforms of a dataset's own pipeline, and compare image, label and classes.

    Args:
        pipeline (Sequence[dict]): the dataset's pipeline, of which the steps that load images or labels are run.
        num_classes (int): number of classes.
        ignore_index (int): the index that may be used besides them.
        labelled (bool): whether each sample must have a label.
    """

    def __init__(
        self, pipeline: Sequence[dict], num_classes: int, ignore_index: int = 255, labelled: bool = True
    ) -> None:
        self.loaders = loaders_of(pipeline)
        for loader in self.loaders:
            if isinstance(loader, LoadLabels):
                loader.warned = True  # unknown colours are counted here
        self.num_classes, self.ignore_index, self.labelled = num_classes, ignore_index, labelled

    @property
    def settings(self) -> str:
        """On what the findings depend besides the files."""
        return f"{self.loaders} {self.num_classes} {self.ignore_index} {self.labelled}"

    def __call__(self, sample: dict) -> Findings:
        """Check one sample of the dataset's ``data_list``."""
        findings = Findings()
        image_path, label_path = sample["img_path"], sample.get("seg_map_path")
        elsewhere = not all(map(reads_local_files, self.loaders))
        there = {p: elsewhere or is_remote(p) or os.path.exists(p) for p in (image_path, label_path) if p}
        if not label_path and self.labelled:
            findings.problems.append(("unlabelled", image_path))
        if label_path and not any(there.values()):
            findings.problems.append(("neither", f"{image_path}, {label_path}"))
            return findings
        results = copy.deepcopy(sample)
        for loader in self.loaders:
            kind = "label" if isinstance(loader, LoadAnnotations) else "image"
            path = label_path if kind == "label" else image_path
            if path and not there[path]:
                findings.problems.append((f"missing {kind}", path))
            elif path:
                try:
                    results = loader(results) or results
                except Exception as error:  # whatever a decoder makes of a broken file
                    findings.problems.append((f"unreadable {kind}", _describe(path, error)))
        self._compare(results, findings)
        return findings

    def _compare(self, results: dict, findings: Findings) -> None:
        image, labels = results.get("img"), results.get("gt_seg_map")
        if labels is None:
            return
        path = results["seg_map_path"]
        findings.unknown_pixels = results.get("unknown_pixels", 0)
        if problem := self._misread(path, labels):
            findings.problems.append(("unreadable label", f"{path}: {problem}"))
            return
        outside = labels[((labels < 0) | (labels >= self.num_classes)) & (labels != self.ignore_index)]
        if outside.size:
            values = [str(value) for value in np.unique(outside)]
            listed = ", ".join([*values[:MAX_VALUES], *(["..."] if len(values) > MAX_VALUES else [])])
            findings.problems.append(("index", f"{path}: {listed} (pixels: {outside.size})"))
        if image is None:
            return
        orientation = orientation_of(results["img_path"])
        fits_turned = orientation >= 5 and labels.shape == image.shape[1::-1]
        if labels.shape != image.shape[:2]:
            hint = " (only one of them follows the image's EXIF orientation)" if fits_turned else ""
            findings.problems.append(("size", f"{path}: {_size(labels)}, the image {_size(image)}{hint}"))
        else:
            findings.turned = fits_turned or orientation in (2, 3, 4)

    def _misread(self, path: str, labels: np.ndarray) -> str | None:
        """Why the indices are not those of the file, if the toolbox's own LoadAnnotations read them."""
        if labels.ndim != 2:
            return "a colour picture: load it with LoadLabels and the palette of the dataset"
        if not any(isinstance(loader, LoadLabels) for loader in self.loaders) and os.path.exists(path):
            with Image.open(path) as picture:
                if picture.mode.startswith(("I", "F")):
                    return "of its values, LoadAnnotations keeps 8 bits: load it with LoadLabels"
        return None


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"


def _describe(path: str, error: Exception) -> str:
    if isinstance(error, (AssertionError, cv2.error)):  # what mmcv makes of a file that OpenCV gives up
        return f"{path}: truncated, or not a picture"
    if path in str(error) and error.__cause__:
        error = error.__cause__
    reason = first_line(error)
    return reason if path in reason else f"{path}: {reason}"
