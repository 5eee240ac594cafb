"""Random images and labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

IGNORE_INDEX = 255
#: Share of the pixels that have no label.
IGNORED = 0.05


@dataclass(frozen=True)
class Batch:
    """A batch as a data pipeline gives it.

    Attributes:
        images: uint8 (N, 3, H, W).
        labels: int64 (N, H, W), classes and ``IGNORE_INDEX``.
    """

    images: Tensor
    labels: Tensor

    @property
    def data(self) -> dict:
        """What the toolbox's models take; made anew, as they change it."""
        samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in self.labels]
        for sample in samples:
            shape = tuple(self.labels.shape[1:])
            sample.set_metainfo(dict(img_shape=shape, ori_shape=shape))
        return dict(inputs=list(self.images), data_samples=samples)

    def normalised(self, preprocessor: nn.Module) -> Tensor:
        """The images as the network takes them: float32 (N, 3, H, W), on the device of the preprocessor."""
        return preprocessor(self.data, False)["inputs"]


def random_batch(number: int, shape: tuple[int, int], num_classes: int, seed: int = 0) -> Batch:
    """Images of random values, with random labels of which some are ignored."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (number, 3, *shape), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, num_classes, (number, *shape), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < IGNORED] = IGNORE_INDEX
    return Batch(images, labels)
