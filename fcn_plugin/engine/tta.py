"""Test-time augmentation, as a config has it in ``tta_model`` and ``tta_pipeline``."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from mmcv.transforms import LoadImageFromFile, TestTimeAug
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from ..checks.data import head_of
from ..datasets.transforms.loading import is_step, loads_labels
from ..models.heads import last_head
from ..utils.config import class_of, leaf_datasets


@MODELS.register_module()
class MeanTTAModel(SegTTAModel):
    """The mean of the probabilities that a network has for an image in all its forms.

    The toolbox's SegTTAModel takes the sigmoid of a single score (``out_channels=1``) twice, so that it exceeds the
    threshold everywhere.
    """

    def merge_preds(self, data_samples_list: Sequence[Sequence[SegDataSample]]) -> list[SegDataSample]:
        """Merge the predictions of each image into that of its first form; ``seg_logits`` become the probabilities."""
        for samples in data_samples_list:
            scores = [sample.seg_logits.data for sample in samples]  # of a single score, the toolbox has the sigmoid
            several = len(scores[0]) > 1
            mean = sum(score.softmax(dim=0) if several else score for score in scores) / len(scores)
            predicted = mean.argmax(0, keepdim=True) if several else (mean > last_head(self.module).threshold).long()
            samples[0].set_data(dict(seg_logits=PixelData(data=mean), pred_sem_seg=PixelData(data=predicted)))
        return [samples[0] for samples in data_samples_list]


def enable_tta(cfg: Config) -> None:
    """Test with augmentation, with images and labels read as in the plain test pipeline.

    Raises:
        ValueError: as :func:`augmented_pipeline` and :func:`augmented_model`.
    """
    for dataset in leaf_datasets(cfg.get("test_dataloader")):
        dataset.pipeline = augmented_pipeline(cfg, dataset.get("pipeline") or [])
    cfg.model = augmented_model(cfg, cfg.model)


def augmented_model(cfg: Config, model: Mapping | torch.nn.Module) -> dict:
    """The settings of ``tta_model`` around a model, built or not.

    Raises:
        ValueError: if there is none, or it is not for networks with a single score.
    """
    if not (cfg.get("tta_pipeline") and cfg.get("tta_model")):
        raise ValueError(f"{cfg.filename} has no test-time augmentation: it needs tta_model and tta_pipeline")
    if head_of(cfg).get("out_channels") == 1 and class_of(cfg.tta_model, MODELS) is SegTTAModel:
        raise ValueError(
            "SegTTAModel takes the sigmoid of a single score (decode_head.out_channels=1) twice: set"
            " tta_model.type=MeanTTAModel"
        )
    test_cfg = (model.get("test_cfg") if isinstance(model, Mapping) else getattr(model, "test_cfg", None)) or {}
    if test_cfg.get("mode") == "tiles":
        test_cfg["logits"] = True  # of which the mean is taken
    # types as texts: the copy of the config could not be read with classes of pure Python in it
    return dict(**cfg.tta_model.to_dict(), module=model)


def augmented_pipeline(cfg: Config, plain: Sequence[Mapping]) -> list[Mapping]:
    """A copy of the config's ``tta_pipeline`` that loads images and labels by the steps of a plain test pipeline.

    These know the data: how images are decoded, where they are stored, the palette of labels.

    Args:
        cfg (Config): with ``tta_pipeline``.
        plain (Sequence[Mapping]): a test pipeline; its image is loaded by the first LoadImageFromFile, or by its first
            step.

    Raises:
        ValueError: if there is no ``tta_pipeline``.
    """
    if not cfg.get("tta_pipeline"):
        raise ValueError(f"{cfg.filename} has no test-time augmentation: it needs tta_model and tta_pipeline")
    pipeline = copy.deepcopy(cfg.tta_pipeline)
    labels = [step for step in plain if loads_labels(step)]
    for step in (step for step in pipeline if is_step(step, TestTimeAug)):
        for choices in list(step["transforms"]):
            if labels and loads_labels(choices[0]):
                choices[:] = copy.deepcopy(labels)
            if is_step(choices[0], PackSegInputs):  # images of one column, mirrored
                step["transforms"].insert(step["transforms"].index(choices), [dict(type="CopyImage")])
    if plain:
        pipeline[_image_loader(pipeline)] = copy.deepcopy(plain[_image_loader(plain)])
    return pipeline


def _image_loader(pipeline: Sequence[Mapping]) -> int:
    """Where in a pipeline the image is loaded."""
    return next((place for place, step in enumerate(pipeline) if is_step(step, LoadImageFromFile)), 0)
