import pytest
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

from fcn_plugin import config_dir
from fcn_plugin.engine.tta import enable_tta


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
