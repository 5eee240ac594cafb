"""A trained model that predicts pictures of any size."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmseg.registry import MODELS, TRANSFORMS

from ...datasets.transforms import LoadBands
from ...datasets.transforms.loading import picture_of
from ...engine.tta import augmented_model
from ...models.segmentors import AlignedEncoderDecoder
from ...utils.config import read_config
from ...utils.images import why_unreadable
from ..class_meta import class_meta
from ..model import load_segmentor, picture_check, prediction_pipeline, usable_device


@dataclass
class Sample:
    """A picture, and what the test pipeline makes of it.

    Attributes:
        image: as it is shown, BGR, uint8 (H, W, 3).
        packed: ``inputs`` and ``data_samples``, lists of them with test-time augmentation.
    """

    image: np.ndarray
    packed: dict

    @property
    def sizes(self) -> tuple:
        """Shapes of the picture and the network's inputs; samples of the same ones can go into one batch."""
        inputs = self.packed["inputs"]
        return self.image.shape, *(tuple(one.shape) for one in (inputs if isinstance(inputs, list) else [inputs]))


class Predictor:
    """A model with its weights and its test pipeline.

    Pictures are read as the pipeline says. The toolbox's own loading follows the EXIF orientation, reduces 16 bits to
    8, shows grey as colour, and passes over transparency; :class:`LoadBands` reads all bands and bits.

    Args:
        cfg (Config): of a segmentor; its test pipeline begins with the loading of a picture.
        weights (str): any weights that fit it, see :func:`import_weights`.
        device (str, optional): such as ``cpu`` or ``cuda:0``; a GPU by default, if there is one.
        tta (bool): predict with the config's test-time augmentation.
        dataset (str, optional): data set whose names and colours are taken, see :func:`class_meta`.

    Attributes:
        model: the segmentor, in evaluation mode, or its wrapper for test-time augmentation.
        dataset_meta: ``classes`` and ``palette``.
        load: the step that loads pictures, built.
        steps: configs of the steps behind it.

    Raises:
        FileNotFoundError, WeightsError, ValueError: as :func:`init_model`; for a data set that cannot be used.
    """

    def __init__(
        self, cfg: Config, weights: str, device: str | None = None, tta: bool = False, dataset: str | None = None
    ) -> None:
        cfg = copy.deepcopy(cfg)
        device = usable_device(device)
        model, meta = load_segmentor(cfg, weights)
        self.model = model
        self.dataset_meta = class_meta(self.model.num_classes, cfg, meta, dataset)
        if tta:
            self.model = MODELS.build(augmented_model(cfg, self.model))
        self.model.to(device).eval()
        first, *others = prediction_pipeline(cfg, tta)
        self.load, self.steps, self._cfg = TRANSFORMS.build(first), others, cfg
        if not isinstance(self.load, LoadImageFromFile):
            raise ValueError(
                f"the test pipeline begins with {first['type']}, expected LoadImageFromFile: pictures cannot be read"
            )
        self._check = TRANSFORMS.build(*picture_check(first, model))
        self._prepare = Compose(others)

    @classmethod
    def from_files(cls, config: str, weights: str, cfg_options: Mapping | None = None, **kwargs) -> Predictor:
        """Read a config, with options to override, and build the predictor.

        Raises:
            FileNotFoundError, ValueError: as :func:`read_config` and the class.
        """
        return cls(read_config(config, cfg_options), weights, **kwargs)

    @property
    def predicts_tiles(self) -> bool:
        """Whether the model predicts window by window (``test_cfg.mode='tiles'``)."""
        return isinstance(self.model, AlignedEncoderDecoder) and self.model.test_cfg.mode == "tiles"

    @property
    def settings(self) -> str:
        """The config's settings of the network and of how it reads pictures, but for how it cuts them."""
        model = {key: value for key, value in self._cfg.model.to_dict().items() if key != "test_cfg"}
        return repr((model, self.load, self.steps))

    def read(self, path: str | Path) -> Sample:
        """Read a picture and prepare it.

        Raises:
            ValueError: if it cannot be read, or the network does not take it.
        """
        try:
            results = self.load(dict(img_path=str(path)))
        except (AssertionError, cv2.error) as error:  # what mmcv makes of a file that OpenCV gives up
            raise ValueError(why_unreadable(path)) from error
        return self._sample(self._check(results))

    def prepare(self, image: np.ndarray, channel_order: str = "bgr") -> Sample:
        """Prepare a picture, such as a frame of a video, that is here already.

        Args:
            image (np.ndarray): uint8 (H, W, 3), made grey where pictures are read so; or as the pipeline reads it.
            channel_order (str): ``bgr``, as OpenCV reads it, or ``rgb``, as Pillow does.

        Raises:
            TypeError, ValueError: as :class:`CheckPicture`, for other arrays; for another order.
        """
        if channel_order not in ("bgr", "rgb"):
            raise ValueError(f"channel_order must be 'bgr' or 'rgb', got {channel_order!r}")
        colour = isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[2] == 3
        if colour and channel_order == "rgb":
            image = np.ascontiguousarray(image[..., ::-1])
        if colour and self._check.channels == 1:
            image = mmcv.bgr2gray(image)
        self._check.check(image)
        if isinstance(self.load, LoadBands) and image.dtype != np.uint8:
            image = image.astype(np.float32)  # as it loads them
        size = image.shape[:2]
        return self._sample(dict(img=image, img_path=None, img_shape=size, ori_shape=size))

    def _sample(self, results: dict) -> Sample:
        return Sample(picture_of(results["img"], self.load), self._prepare(results))

    @torch.no_grad()
    def predict(self, samples: Sequence[Sample]) -> list[np.ndarray]:
        """Predict samples of the same sizes together.

        Returns:
            list[np.ndarray]: class indices of each, as large as its picture, uint8 (H, W).

        Raises:
            ValueError: if their sizes differ: padding one to the other would change what is predicted at its borders.
        """
        if len({sample.sizes for sample in samples}) > 1:
            raise ValueError("samples of different sizes cannot be predicted together")
        predictions = self.model.test_step(pseudo_collate([sample.packed for sample in samples]))
        return [
            prediction.pred_sem_seg.data.to("cpu", torch.uint8).numpy().reshape(sample.image.shape[:2])
            for prediction, sample in zip(predictions, samples)
        ]
