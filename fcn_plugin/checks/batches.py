"""Batches of validation and testing, whose images must have one size."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mmengine.dist import get_world_size
from mmseg.datasets import BaseSegDataset
from torch import Tensor

from ..utils.images import size_of
from .parts import Part, build_step

MAX_TRIED = 20  #: sizes of images that are sent through the pipeline


def check_batches(datasets: Mapping[Part, BaseSegDataset], loader: Mapping | None) -> None:
    """Check that the pipeline brings the images of each batch to one size.

    The sizes are those in the files' headers. Where they differ, the pipeline says what becomes of them.

    Args:
        datasets (Mapping[Part, BaseSegDataset]): of one dataloader, in order.
        loader (Mapping, optional): its settings.

    Raises:
        ValueError: naming two images, their sizes, and what to set.
    """
    batch_size = (loader or {}).get("batch_size", 1)
    if batch_size == 1:
        return
    shapes = _Shapes(datasets)
    for batch in _batches([image for part, one in datasets.items() for image in _images(part, one)], batch_size):
        first, *others = {(image.part, image.size): image for image in batch}.values()
        for other in others:
            before, after = shapes.of(first), shapes.of(other)
            if before is None or after is None or before == after:
                continue
            name, (width, height) = other.part.loader, first.size
            raise ValueError(
                f"{name}.batch_size={batch_size} puts images of several sizes into a batch, which must have one size in"
                f" validation and testing: {first}, {other}; set {name}.batch_size=1, or bring them to one size with"
                f" dict(type='Resize', scale=({width}, {height}), keep_ratio=False) in the pipeline"
            )


class _Image(NamedTuple):
    part: Part
    sample: dict
    size: tuple[int, int]  # width and height

    def __str__(self) -> str:
        return f"{self.sample['img_path']} has {self.size[0]}x{self.size[1]}"


def _images(part: Part, dataset: BaseSegDataset) -> Iterator[_Image]:
    for sample in dataset.data_list:
        if size := size_of(sample["img_path"]):
            yield _Image(part, sample, size)


class _Shapes:
    """What the pipelines make of images, by their sizes; of the first :data:`MAX_TRIED`."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.pipelines = {part: list(map(build_step, part.pipeline)) for part in parts}
        self.known: dict[tuple, list[tuple] | None] = {}

    def of(self, image: _Image) -> list[tuple] | None:
        """Height and width of what goes into a batch; None if the pipeline fails, which other checks tell."""
        key = (image.part, image.size)
        if key not in self.known and len(self.known) < MAX_TRIED:
            self.known[key] = self._run(image)
        return self.known.get(key)

    def _run(self, image: _Image) -> list[tuple] | None:
        results = copy.deepcopy(image.sample)
        try:
            for step in self.pipelines[image.part]:
                results = step(results)
            inputs = results["inputs"]
        except Exception:  # of any step
            return None
        return [tuple(one.shape[-2:]) for one in ([inputs] if isinstance(inputs, Tensor) else inputs)]


def _batches(images: Sequence[_Image], size: int) -> Iterator[Sequence[_Image]]:
    """As the toolbox's DefaultSampler spreads samples over processes."""
    world = get_world_size()
    for rank in range(world):
        own = images[rank::world]
        for start in range(0, len(own), size):
            yield own[start : start + size]
