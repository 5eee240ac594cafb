"""The steps of a pipeline that read images and labels: which they are, and from where they read."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence

from mmcv.transforms import LoadAnnotations, LoadImageFromFile

from .parts import Step, steps_of

LOCAL = (None, "local", "disk")  #: names of the backend that reads from the file system
KINDS = {"img": "images", "gt_seg_map": "labels"}  #: by key: what a loader of it reads


class ImageLoader(LoadImageFromFile):
    """A step of a user's that loads images, though it does not derive from the toolbox's."""

    def __init__(self, step: Callable) -> None:
        self.step = step

    def transform(self, results: dict) -> dict | None:
        """What the step makes of a sample."""
        return self.step(results)

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
    steps = steps_of(pipeline)
    loaders = _known(steps)
    if len(kinds := {kind_of(one) for one in loaders.values()}) < len(KINDS):
        for sample in samples:
            found = _tried(steps, sample, kinds)
            if found is not None:
                return list(_known([found.get(id(step), step) for step in steps]).values())
    return list(loaders.values())


def _known(steps: Iterable[Callable]) -> dict[str, LoadImageFromFile | LoadAnnotations]:
    loaders: dict[str, Callable] = {}
    for step in steps:
        if isinstance(step, (LoadImageFromFile, LoadAnnotations)):
            loaders.setdefault(repr(step), step)
    return loaders


def kind_of(loader: LoadImageFromFile | LoadAnnotations) -> str:
    """The key of what a loader adds to a sample."""
    return "gt_seg_map" if isinstance(loader, LoadAnnotations) else "img"


def _tried(steps: Sequence[Callable], sample: dict, known: set[str]) -> dict[int, Callable] | None:
    """By the id of a step, a loader in its place: those that add images or labels to a sample; None if they fail."""
    results, found = copy.deepcopy(sample), {}
    for step in steps:
        before = set(results)
        try:
            results = step(results)
        except Exception:  # of a step of a user's, or of any other on a broken sample
            return found or None
        if not isinstance(results, Mapping):
            break
        added = [kind for kind in KINDS if kind in results and kind not in before and kind not in known]
        if added and not isinstance(step, (LoadImageFromFile, LoadAnnotations)):
            found[id(step)] = (LabelLoader if "gt_seg_map" in added else ImageLoader)(step)
    return found


def backends_of(thing: object) -> list[dict]:
    """The settings of storages, in today's and in the older way, that a data set or a step reads from."""
    return [dict(args) for name in ("backend_args", "file_client_args") if (args := getattr(thing, name, None))]


def reads_local_files(thing: object) -> bool:
    """Whether a data set or a step reads paths without a prefix, such as ``s3://``, from the file system."""
    return all(args.get("backend") in LOCAL for args in backends_of(thing))
