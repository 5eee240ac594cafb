"""A trained model that predicts pictures of any size."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmseg.registry import MODELS, TRANSFORMS
from mmseg.structures import SegDataSample
from torch import Tensor

from ...datasets.transforms import LoadBands
from ...datasets.transforms.loading import picture_of, reads_by_opencv
from ...engine.tta import MeanTTAModel, augmented_model
from ...models.segmentors import AlignedEncoderDecoder
from ...models.segmentors.tiled_inference import classes_of, tiles_of
from ...utils.config import read_config
from ...utils.images import lost_bands, why_unreadable
from ..class_meta import class_meta
from ..model import load_segmentor, picture_check, prediction_pipeline, usable_device
from .outputs import PROBABILITIES, Output, make_outputs


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


@dataclass
class Prediction:
    """What is predicted of a picture.

    Attributes:
        labels: class indices, uint8 (H, W).
        values: values (B, H, W) of further kinds, by their names.
    """

    labels: np.ndarray
    values: dict[str, np.ndarray] = field(default_factory=dict)


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
        self.model, self._segmentor, self._is_augmented = model, model, tta
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
        if reads_by_opencv(self.load) and (reason := lost_bands(path)):
            raise ValueError(reason)
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

    def predict(
        self, samples: Sequence[Sample], return_probabilities: bool = False
    ) -> list[np.ndarray] | list[tuple[np.ndarray, np.ndarray]]:
        """Predict samples of the same sizes together.

        Args:
            samples (Sequence[Sample]): as from :meth:`read` and :meth:`prepare`.
            return_probabilities (bool): give the probabilities of all classes, too.

        Returns:
            list: class indices of each, as large as its picture, uint8 (H, W); or pairs of these and the probabilities,
            float16 (K, H, W), two for a network with a single score.

        Raises:
            ValueError: if their sizes differ: padding one to the other would change what is predicted at its borders;
                for probabilities with a test-time augmentation that has none.
        """
        outputs = self.outputs([PROBABILITIES], save_type="float16") if return_probabilities else []
        predictions = self.predict_outputs(samples, outputs)
        if return_probabilities:
            return [(one.labels, one.values[PROBABILITIES]) for one in predictions]
        return [one.labels for one in predictions]

    def outputs(self, kinds: Sequence[str], **settings) -> list[Output]:
        """Kinds of outputs for this model, see :func:`make_outputs`.

        Raises:
            ValueError: as there; with test-time augmentation that does not merge probabilities.
        """
        classes = self.dataset_meta["classes"]
        found = make_outputs(kinds, classes, getattr(self._segmentor, "out_channels", len(classes)), **settings)
        if found and self._is_augmented and not isinstance(self.model, MeanTTAModel):
            raise ValueError(f"{found[0].name} of test-time augmentation: set tta_model.type=MeanTTAModel")
        return found

    @torch.no_grad()
    def predict_outputs(self, samples: Sequence[Sample], outputs: Sequence[Output] = ()) -> list[Prediction]:
        """Predict samples of the same sizes together, with more than their class indices.

        Logits are held of the pictures of one batch at a time, and with ``test_cfg.mode='tiles'`` of one tile.

        Args:
            samples (Sequence[Sample]): as from :meth:`read` and :meth:`prepare`.
            outputs (Sequence[Output]): as from :meth:`outputs`.

        Raises:
            ValueError: if their sizes differ.
        """
        if len({sample.sizes for sample in samples}) > 1:
            raise ValueError("samples of different sizes cannot be predicted together")
        if outputs and self.predicts_tiles:
            return [self._predict_in_tiles(sample, outputs) for sample in samples]
        predictions = self.model.test_step(pseudo_collate([sample.packed for sample in samples]))
        return [
            Prediction(
                prediction.pred_sem_seg.data.to("cpu", torch.uint8).numpy().reshape(sample.image.shape[:2]),
                {one.name: one.values(self._logits(prediction)) for one in outputs},
            )
            for prediction, sample in zip(predictions, samples)
        ]

    def _logits(self, prediction: SegDataSample) -> Tensor:
        """Logits (K, H, W): of a single score, the toolbox keeps its probability, and augmentation those of all."""
        scores = prediction.seg_logits.data.float()
        if len(scores) == 1:
            return scores.logit(torch.finfo(torch.float32).eps)
        return scores.clamp_min(torch.finfo(torch.float32).tiny).log() if self._is_augmented else scores

    def _predict_in_tiles(self, sample: Sample, outputs: Sequence[Output]) -> Prediction:
        inputs = self.model.data_preprocessor(pseudo_collate([sample.packed]), False)["inputs"]
        size = sample.image.shape[:2]
        if tuple(sample.packed["inputs"].shape[-2:]) != size:
            raise ValueError("the test pipeline resizes pictures: of their tiles, only labels can be predicted")
        prediction = Prediction(
            np.empty(size, np.uint8), {one.name: np.empty((len(one.bands), *size), one.dtype) for one in outputs}
        )
        for (rows, columns), logits in tiles_of(self.model, inputs):
            logits = logits[:, :, : max(0, size[0] - rows.start), : max(0, size[1] - columns.start)]
            prediction.labels[rows, columns] = classes_of(self.model, logits)[0, 0].to("cpu", torch.uint8).numpy()
            for one in outputs:
                prediction.values[one.name][:, rows, columns] = one.values(logits[0])
        return prediction
