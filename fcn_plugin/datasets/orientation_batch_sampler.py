"""Batches that need little padding."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Sampler

from ..utils.images import size_of


@DATA_SAMPLERS.register_module()
class OrientationBatchSampler(BatchSampler):
    """Batches of pictures that are all wider than high, or all not: a batch is padded to its largest width and height.

    With VOC's pictures, most of which are 500 pixels on their longer side, a mixed batch is 500x500. The order of the
    sampler is kept within each of the two groups. For training with a sampler that has no end:
    ``train_dataloader.batch_sampler=dict(type='OrientationBatchSampler')``.

    Args:
        sampler (Sampler): gives the indices, and has the dataset as ``dataset``; handed in by the toolbox.
        batch_size (int): likewise.
    """

    def __init__(self, sampler: Sampler, batch_size: int) -> None:
        super().__init__(sampler, batch_size, drop_last=True)
        self._is_wide: dict[int, bool] = {}

    def __iter__(self) -> Iterator[list[int]]:
        """Give a batch whenever one of the groups is complete."""
        groups: dict[bool, list[int]] = {True: [], False: []}
        for index in self.sampler:
            group = groups[self.is_wide(index)]
            group.append(index)
            if len(group) == self.batch_size:
                yield group.copy()
                group.clear()

    def is_wide(self, index: int) -> bool:
        """Whether a picture, as it is shown, is wider than high; its header is read once."""
        if index not in self._is_wide:
            path = self.sampler.dataset.get_data_info(index)["img_path"]
            width, height = size_of(path)
            self._is_wide[int(index)] = width > height
        return self._is_wide[index]
