"""What can be wrong with one image and its label."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from mmcv.transforms import LoadAnnotations, LoadImageFromFile
from mmengine import fileio
from PIL import Image

from ..datasets.transforms import LoadBands, LoadLabels
from ..datasets.transforms.load_labels import LabelPicture
from ..utils.images import count_values, is_remote, orientation_of
from ..utils.text import first_line
from .decoder_messages import DecoderMessages, damage_in
from .findings import Findings
from .label_colours import colour_problem
from .loaders import reads_local_files
from .stored_images import highest_value, is_jpeg

MAX_VALUES = 8  #: indices to name
KNOWN_PACKAGES = ("mmcv", "mmseg", "mmpretrain", "fcn_plugin")  #: whose other transforms keep the indices of labels


class SampleCheck:
    """Read samples with the loading transforms of a dataset's own pipeline, and compare image, label and classes.

    Args:
        loaders (Sequence[Callable]): the steps of the dataset's pipeline that load images or labels.
        num_classes (int): number of classes.
        ignore_index (int): the index that may be used besides them.
        labelled (bool): whether each sample must have a label.
    """

    def __init__(
        self, loaders: Sequence[Callable], num_classes: int, ignore_index: int = 255, labelled: bool = True
    ) -> None:
        self.loaders = list(loaders)
        for loader in self.loaders:
            if isinstance(loader, LoadLabels):
                loader.for_check = True
        self.num_classes, self.ignore_index, self.labelled = num_classes, ignore_index, labelled

    @property
    def settings(self) -> str:
        """On what the findings depend besides the files."""
        return f"{self.loaders} {self.num_classes} {self.ignore_index} {self.labelled}"

    def __call__(self, sample: dict, messages: DecoderMessages | None = None, alone: bool = False) -> Findings:
        """Check one sample of the dataset's ``data_list``.

        Args:
            sample (dict): of the list.
            messages (DecoderMessages, optional): what decoders print; with some, the sample is suspect.
            alone (bool): no other sample is read meanwhile: messages are of this one, and tell of damage.
        """
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
            start = messages.position() if messages else 0
            if path and not there[path]:
                findings.problems.append((f"missing {kind}", path))
            elif path:
                try:
                    results = loader(results) or results
                    if (
                        messages
                        and getattr(loader, "imdecode_backend", None) != "cv2"
                        and _is_jpeg(path, kind, results)
                    ):
                        cv2.imread(path, cv2.IMREAD_REDUCED_GRAYSCALE_8)  # Pillow passes over damage without a word
                except Exception as error:  # whatever a decoder makes of a broken file
                    findings.problems.append((f"unreadable {kind}", _describe(path, error)))
                    continue
            if messages and messages.position() > start:
                findings.suspect = True
                if alone and (damage := damage_in(messages.since(start))):
                    findings.problems.append((f"damaged {kind}", f"{path}: {damage}"))
        self._look_at_image(results, findings)
        self._look_at_label(results, findings)
        return findings

    def _look_at_image(self, results: dict, findings: Findings) -> None:
        image = results.get("img")
        if image is None:
            return
        has_all_bits = any(isinstance(loader, LoadBands) for loader in self.loaders)
        findings.size = (image.shape[1], image.shape[0], image.shape[2] if image.ndim > 2 else 1)
        if image.dtype == np.uint8 and not has_all_bits:
            findings.highest = highest_value(results["img_path"])

    def _look_at_label(self, results: dict, findings: Findings) -> None:
        image, labels = results.get("img"), results.get("gt_seg_map")
        if labels is None:
            return
        path = results["seg_map_path"]
        if problem := self._misread(path, labels):
            findings.problems.append(("unreadable label", f"{path}: {problem}"))
            return
        picture = results.get("label_picture") or self._picture_of(path)
        findings.usual_colours = picture.usual
        findings.colours = {
            index: red << 16 | green << 8 | blue
            for index, (red, green, blue) in picture.colours.items()
            if index != self.ignore_index
        }
        findings.unknown_pixels = results.get("unknown_pixels", 0)
        if findings.unknown_pixels and (problem := self._colour_problem(path)):
            findings.problems.append(("colours", f"{path}: {problem}"))
        findings.lossy = picture.format == "JPEG" and not findings.problems
        findings.pixels = count_values(labels)
        classes = range(self.num_classes)
        outside = {i: n for i, n in findings.pixels.items() if i not in classes and i != self.ignore_index}
        if outside:
            values = [str(value) for value in outside]
            listed = ", ".join([*values[:MAX_VALUES], *(["..."] if len(values) > MAX_VALUES else [])])
            findings.problems.append(("index", f"{path}: {listed} (pixels: {sum(outside.values())})"))
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
        if not self._label_loader and os.path.exists(path):
            with Image.open(path) as picture:
                if picture.mode.startswith(("I", "F")):
                    return "of its values, LoadAnnotations keeps 8 bits: load it with LoadLabels"
        return None

    @property
    def _label_loader(self) -> LoadLabels | None:
        return next((loader for loader in self.loaders if isinstance(loader, LoadLabels)), None)

    @staticmethod
    def _picture_of(path: str) -> LabelPicture:
        """What picture a label is that was read by another loader than :class:`LoadLabels`."""
        if not os.path.isfile(path):
            return LabelPicture(None, {})
        with Image.open(path) as picture:
            return LabelPicture.of(picture, np.array(picture) if picture.mode == "P" else np.zeros(0, np.uint8))

    def _colour_problem(self, path: str) -> str | None:
        return colour_problem(fileio.get(path, backend_args=self._label_loader.backend_args), self._label_loader)


def steps_of_others(steps: Sequence[Callable]) -> list[str]:
    """The steps behind the loading of which it is not known whether they change indices: those of the user's own."""
    steps = [step for step in steps if not isinstance(step, (LoadImageFromFile, LoadAnnotations))]
    return [type(step).__name__ for step in steps if type(step).__module__.partition(".")[0] not in KNOWN_PACKAGES]


def _is_jpeg(path: str, kind: str, results: dict) -> bool:
    if kind == "label" and results.get("label_picture"):
        return results["label_picture"].format == "JPEG"
    return is_jpeg(path)


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"


def _describe(path: str, error: Exception) -> str:
    if isinstance(error, (AssertionError, cv2.error)):  # what mmcv makes of a file that OpenCV gives up
        return f"{path}: truncated, or not a picture"
    if path in str(error) and error.__cause__:
        error = error.__cause__
    reason = first_line(error)
    return reason if path in reason else f"{path}: {reason}"
