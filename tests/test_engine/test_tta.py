import copy
from types import SimpleNamespace

import pytest
import torch
from mmcv.transforms import BaseTransform, Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS
from mmseg.structures import SegDataSample

from fcn_plugin import config_dir
from fcn_plugin.engine.tta import MeanTTAModel, enable_tta


def label_loaders(pipeline):
    return [
        step
        for outer in pipeline
        for choices in outer.get("transforms", [])
        for step in choices
        if step["type"] in ("LoadAnnotations", "LoadLabels")
    ]


@pytest.mark.parametrize(
    "name, palette", [("fcn8s_vgg16_voc", "PascalVOCDataset"), ("fcn8s_vgg16_camvid", "CamVidDataset")]
)
def test_labels_are_read_as_without_augmentation(name, palette):
    cfg = Config.fromfile(config_dir() / f"{name}.py")
    enable_tta(cfg)
    pipeline = cfg.test_dataloader.dataset.pipeline
    assert label_loaders(pipeline) == [dict(type="LoadLabels", palette=palette)]
    init_default_scope("mmseg")
    inner = Compose([TRANSFORMS.build(step) for step in pipeline]).transforms[1]
    assert len(inner.subroutines) == 6
    assert cfg.model.type == "MeanTTAModel" and cfg.model.module.backbone.type == "FCNVGG"


@pytest.mark.parametrize("kind", ["LoadAnnotations", "mmseg.LoadAnnotations", LoadAnnotations])
def test_the_toolboxs_own_loader(kind):
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_voc.py")
    cfg.test_dataloader.dataset.pipeline[1] = dict(type=kind)
    enable_tta(cfg)
    assert cfg.test_dataloader.dataset.pipeline[1].transforms[2] == [dict(type=kind)]


def test_pipeline_without_labels():
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_voc.py")
    del cfg.test_dataloader.dataset.pipeline[1]
    enable_tta(cfg)
    assert label_loaders(cfg.test_dataloader.dataset.pipeline) == [dict(type="LoadLabels")]


class OwnLoader(BaseTransform):
    """A user's, which the toolbox does not know."""

    def transform(self, results):
        return results


@pytest.mark.parametrize(
    "loader",
    [
        dict(type="LoadImageFromFile", color_type="grayscale", imdecode_backend="pillow"),
        dict(type="mmseg.LoadImageFromFile", backend_args=dict(backend="local")),
        dict(type=OwnLoader),
    ],
)
def test_images_are_read_as_without_augmentation(loader):
    """In all data sets of a test; the config's own pipeline stays."""
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_voc.py")
    part = cfg.test_dataloader.dataset
    part.pipeline[0] = loader
    cfg.test_dataloader.dataset = dict(type="ConcatDataset", datasets=[part, copy.deepcopy(part)])
    before = copy.deepcopy(cfg.tta_pipeline)
    enable_tta(cfg)
    for dataset in cfg.test_dataloader.dataset.datasets:
        assert dataset.pipeline[0] == loader and dataset.pipeline[1].type == "TestTimeAug"
    assert cfg.tta_pipeline == before


@pytest.mark.parametrize("missing", ["tta_model", "tta_pipeline"])
def test_config_without_augmentation(missing):
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_voc.py")
    cfg.pop(missing)
    with pytest.raises(ValueError, match="has no test-time augmentation: it needs tta_model and tta_pipeline"):
        enable_tta(cfg)


def merged(scores, threshold=0.3):
    """The merged prediction of logits in several forms, as the toolbox hands them to the model."""
    model = torch.nn.Module()
    model.out_channels, model.decode_head = len(scores[0]), SimpleNamespace(threshold=threshold)
    model.test_step = None
    scores = [torch.tensor(score) for score in scores]
    one = len(scores[0]) == 1
    samples = [SegDataSample(seg_logits=PixelData(data=score.sigmoid() if one else score)) for score in scores]
    samples[0].set_metainfo(dict(img_path="first"))
    (sample,) = MeanTTAModel(model).merge_preds([samples])
    assert sample.img_path == "first"
    return sample


def test_mean_of_a_single_score():
    """Against the threshold once; the toolbox's own model has 1 everywhere."""
    sample = merged([[[[-2.0, 0.0, -1.0]]], [[[-2.0, 3.0, -0.6]]]])
    assert sample.pred_sem_seg.data.tolist() == [[[0, 1, 1]]]
    expected = (torch.tensor([-1.0, -0.6]).sigmoid().mean()).item()
    assert sample.seg_logits.data[0, 0, 2].item() == pytest.approx(expected) and 0.3 < expected < 0.33
    assert merged([[[[-1.0]]]]).pred_sem_seg.data.tolist() == [[[0]]]


def test_mean_of_several_scores():
    """Of probabilities, not of logits: one form that is sure does not outweigh two that agree."""
    sample = merged([[[[9.0]], [[0.0]]], [[[0.0]], [[1.0]]], [[[0.0]], [[1.0]]]])
    probabilities = (1 / (1 + torch.tensor([9.0, -1.0, -1.0]).neg().exp())).mean().item()
    assert sample.seg_logits.data[0].item() == pytest.approx(probabilities)
    assert sample.pred_sem_seg.data.tolist() == [[[0 if probabilities > 0.5 else 1]]]
    assert merged([[[[9.0]], [[0.0]]], *[[[[0.0]], [[2.0]]]] * 2]).pred_sem_seg.data.tolist() == [[[1]]]


def test_toolboxs_model_is_refused_for_a_single_score():
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_voc.py")
    cfg.tta_model.type = "mmseg.SegTTAModel"
    enable_tta(copy.deepcopy(cfg))
    cfg.model.decode_head.out_channels = 1
    with pytest.raises(ValueError, match="takes the sigmoid of a single score .* set tta_model.type=MeanTTAModel"):
        enable_tta(cfg)
