"""The steps of a pipeline that read images and labels: which they are, and from where they read."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence

from mmcv.transforms import LoadAnnotations, LoadImageFromFile

from ..utils.text import first_line
from .parts import Step, steps_of

LOCAL = (None, "local", "disk")  #: names of the backend that reads from the file system
KINDS = ("img", "gt_seg_map")  #: what loaders add to a sample


class ImageLoader(LoadImageFromFile):
    """A step of a user's that loads images, though it does not derive from the toolbox's."""

    def __init__(self, step: Callable) -> None:
        self.step = step

    def transform(self, results: dict) -> dict | None:
        """What the step makes of a sample, besides what is known of it."""
        made = self.step(results)
        return {**results, **made} if made else None

    def __repr__(self) -> str:
        return repr(self.step)


class LabelLoader(LoadAnnotations):
    """A step of a user's that loads labels, though it does not derive from the toolbox's."""

    def __init__(self, step: Callable) -> None:
        self.step = step

    transform, __repr__ = ImageLoader.transform, ImageLoader.__repr__


def loaders_of(pipeline: Sequence[Step], samples: Iterable[dict] = ()) -> list[LoadImageFromFile | LoadAnnotations]:
    """The steps of a pipeline that load images and labels, built, wherever they stand; each once.

    They are known by their classes: a step can be named ``mmseg.LoadAnnotations``, or be given as a class. A step of
    another class is known by what it does to a sample.

    Args:
        pipeline (Sequence[dict | Callable]): configs of steps, or steps.
        samples (Iterable[dict]): of the data set, to try the steps on if none is known to load images or labels.
    """
    return find_loaders(pipeline, samples)[0]


def find_loaders(
    pipeline: Sequence[Step], samples: Iterable[dict] = ()
) -> tuple[list[LoadImageFromFile | LoadAnnotations], str]:
    """The loaders, as :func:`loaders_of`, and why the steps could not be tried on any of the samples, if so."""
    steps, failure = steps_of(pipeline), ""
    loaders = _known(steps)
    if len(kinds := {kind_of(one) for one in loaders}) < len(KINDS):
        for sample in samples:
            try:
                found = _tried(steps, sample, kinds)
            except Exception as error:  # of a step of a user's, or of any other on a broken sample
                failure = failure or f"{sample['img_path']}: {first_line(error)}"
                continue
            return _known([found.get(id(step), step) for step in steps]), ""
    return loaders, failure


def _known(steps: Iterable[Callable]) -> list[LoadImageFromFile | LoadAnnotations]:
    loaders = [step for step in steps if isinstance(step, (LoadImageFromFile, LoadAnnotations))]
    return list({repr(loader): loader for loader in reversed(loaders)}.values())[::-1]


def kind_of(loader: LoadImageFromFile | LoadAnnotations) -> str:
    """The key of what a loader adds to a sample."""
    return "gt_seg_map" if isinstance(loader, LoadAnnotations) else "img"


def _tried(steps: Sequence[Callable], sample: dict, known: set[str]) -> dict[int, Callable]:
    """By the id of a step, a loader in its place: those that add images or labels to a sample."""
    results, found = copy.deepcopy(sample), {}
    for step in steps:
        if len(known) == len(KINDS):
            break
        before = set(results)
        results = step(results)
        if not isinstance(results, Mapping):
            break
        added = {kind for kind in KINDS if kind in results and kind not in before | known}
        if added:
            found[id(step)] = (LabelLoader if "gt_seg_map" in added else ImageLoader)(step)
        known = known | added
    return found


def backends_of(thing: object) -> list[dict]:
    """The settings of storages, in today's and in the older way, that a data set or a step reads from."""
    return [dict(args) for name in ("backend_args", "file_client_args") if (args := getattr(thing, name, None))]


def reads_local_files(thing: object) -> bool:
    """Whether a data set or a step reads paths without a prefix, such as ``s3://``, from the file system."""
    return all(args.get("backend") in LOCAL for args in backends_of(thing))
