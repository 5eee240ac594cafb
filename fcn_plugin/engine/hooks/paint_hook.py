"""Predictions painted over their images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample
from PIL import Image

from ...datasets.transforms.loading import picture_of
from ...evaluation.painter import Painter
from ...evaluation.prediction_names import leaves_of, prediction_names
from ...utils.files import atomic_write


@HOOKS.register_module()
class PaintHook(Hook):
    """Paint all predictions of a test, of all processes and of whole batches: the label, if there is one, beside it.

    Each is ``OUT/NAME.png`` with the folders that its image has in the data set (:func:`prediction_names`). The
    toolbox's SegVisualizationHook paints those of the first process alone.

    Args:
        out (str): directory of the pictures.
    """

    priority = "LOW"

    def __init__(self, out: str) -> None:
        self.out = Path(out)

    def before_test(self, runner: Runner) -> None:
        """Learn the names of the images, and how they are loaded: by the first step of their pipeline."""
        dataset = runner.test_loop.dataloader.dataset
        self.names = prediction_names(dataset)
        self.loaders = {
            leaf.get_data_info(index)["img_path"]: leaf.pipeline.transforms[0]
            for leaf in leaves_of(dataset)
            for index in range(len(leaf))
        }
        self.painter = Painter(dataset.metainfo, getattr(runner.visualizer, "alpha", 0.8))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None, outputs: Sequence[SegDataSample]
    ) -> None:
        """Paint the predictions of a batch."""
        for sample in outputs:
            path = sample.img_path
            loader = self.loaders[path]
            image = picture_of(loader(dict(img_path=path))["img"], loader)
            fields = (sample.get(key) for key in ("gt_sem_seg", "pred_sem_seg"))
            planes = [field.data.reshape(field.data.shape[-2:]).cpu().numpy() for field in fields if field is not None]
            painted = [self.painter.paint(image, plane.astype(np.int64), names=True) for plane in planes]
            file = self.out / f"{self.names[path]}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(file) as partial:
                Image.fromarray(np.concatenate(painted, axis=1)).save(partial, format="PNG")
