from pathlib import Path

import pytest
from mmengine.config import Config

from fcn_plugin import config_dir
from fcn_plugin.engine.preflight import check_data, check_geometry, check_model, set_data_root
from fcn_plugin.engine.stages import Stage, plan_stages, stages_to_train

CONFIGS = sorted(config_dir().glob("*.py"))


def fcn8s(**options):
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_voc.py")
    cfg.merge_from_dict(options)
    return cfg


def test_geometry_of_all_configs():
    assert len(CONFIGS) >= 14
    for path in CONFIGS:
        check_geometry(Config.fromfile(path))


def test_geometry_of_another_trunk():
    with pytest.raises(ValueError, match=r"geometry says .*offset -91.5.*but those of the model lie .*offset 7.5"):
        check_geometry(fcn8s(**{"model.backbone.padding": 1}))


def test_geometry_of_a_trunk_that_is_not_known():
    cfg = fcn8s(**{"model.decode_head.geometry": [dict(stride=s, offset=0) for s in (8, 16, 32)]})
    cfg.model.backbone = dict(type="ResNet", depth=50)
    check_geometry(cfg)
    cfg.model.decode_head.type = "NoHead"  # the toolbox says so when it builds it
    check_geometry(cfg)


def test_stages_count_iterations(tmp_path):
    cfg = fcn8s(work_dir=str(tmp_path))
    cfg.train_cfg = dict(by_epoch=True, max_epochs=3)
    stage = plan_stages(cfg, stage_only=True)[0]
    with pytest.raises(ValueError, match="fcn8s_vgg16_voc has no train_cfg.max_iters"):
        stage.describe()


@pytest.mark.parametrize(
    "iterations, expected",
    [
        ([None, None, None], [0, 1, 2]),
        ([2, None, None], [1, 2]),
        ([2, 1, None], [1, 2]),
        ([None, 1, None], [1, 2]),
        ([None, 2, None], [2]),
        ([None, None, 2], []),
    ],
)
def test_stages_to_train(iterations, expected):
    """Of two iterations each; one that has begun, or is done, needs none before it."""
    stages = [Stage(fcn8s(**{"train_cfg.max_iters": 2})) for _ in iterations]
    for stage, done in zip(stages, iterations):
        stage.checkpoint, stage.iteration = (None, 0) if done is None else (Path(f"iter_{done}.pth"), done)
    assert stages_to_train(stages) == [stages[i] for i in expected]


def test_data_root_and_its_files(tmp_path):
    cfg = fcn8s()
    set_data_root(cfg, str(tmp_path))
    assert {cfg[f"{name}_dataloader"].dataset.data_root for name in ("train", "val", "test")} == {str(tmp_path)}
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        with pytest.raises(
            FileNotFoundError, match=f"train_dataloader needs {tmp_path}.*tools/prepare_voc.py.*--data-root"
        ):
            check_data(cfg)
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/train.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"val_dataloader needs .*val\.txt, which does not exist"):
        check_data(cfg)
    (tmp_path / "ImageSets/Segmentation/val.txt").touch()
    check_data(cfg)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"model.decode_head.in_channels": [5, 6]}, "fcn8s_vgg16_voc.py cannot be built: .*"),
        (
            {"model.decode_head.loss_decode.class_weight": [1.0, 2.0]},
            "must list one weight for each of 21 classes, got 2",
        ),
        ({"model.decode_head.sampler": dict(type="PatchPixelSampler", keep_prob=2)}, "keep_prob must be .* got 2"),
        ({"model.backbone.type": "FCNVVG"}, "FCNVVG is not in the mmseg::model registry"),
        ({"model.backbone.detph": 16}, "unexpected keyword argument 'detph'"),
    ],
)
def test_model_that_cannot_be_built(options, message):
    cfg = fcn8s()
    check_model(cfg)
    cfg.merge_from_dict(options)
    with pytest.raises(ValueError, match=message):
        check_model(cfg)
