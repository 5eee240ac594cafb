from pathlib import Path

import pytest
from mmengine.config import Config
from testing.utils import shipped_config

from fcn_plugin import config_dir
from fcn_plugin.checks.data import check_data
from fcn_plugin.checks.model import check_geometry, check_model
from fcn_plugin.engine.stages import Stage, plan_stages, stages_to_train
from fcn_plugin.utils.config import read_config, set_data_root

CONFIGS = sorted(config_dir().glob("*.py"))


def fcn8s(**options):
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_voc.py")
    cfg.merge_from_dict(options)
    return cfg


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_geometry_of_all_configs(path):
    check_geometry(shipped_config(path))


def test_geometry_of_another_trunk():
    with pytest.raises(ValueError, match=r"geometry says .*offset -91.5.*but those of the model lie .*offset 7.5"):
        check_geometry(fcn8s(**{"model.backbone.padding": 1}))


def resnet18(segmentor="EncoderDecoder", **head):
    head = {"type": "FCN8sHead", "in_channels": [128, 256, 512], "num_classes": 3, **head}
    return Config(dict(model=dict(type=segmentor, backbone=dict(type="ResNet", depth=18), decode_head=head)))


def test_geometry_of_a_backbone_of_the_toolbox():
    check_geometry(resnet18("AlignedEncoderDecoder"))
    with pytest.raises(ValueError, match="FCN8sHead needs .* ResNet does not tell: set model.type='AlignedEncoderDeco"):
        check_geometry(resnet18(geometry=[dict(stride=s, offset=0) for s in (8, 16, 32)]))
    with pytest.raises(ValueError, match=r"set model.decode_head.in_channels=\[128, 256, 512\]"):
        check_geometry(resnet18("AlignedEncoderDecoder", in_channels=[512, 1024, 2048]))


def test_geometry_of_heads_of_the_toolbox():
    cfg = fcn8s()
    cfg.model.decode_head = dict(type="PSPHead", in_channels=512, in_index=1, channels=4, num_classes=3)
    with pytest.raises(ValueError, match=r"PSPHead stretches map 1 over the image, but it lies at .*offset -91.5"):
        check_geometry(cfg)
    cfg.model.backbone.padding = 1
    check_geometry(cfg)
    check_geometry(resnet18(type="PSPHead", in_channels=512, channels=4))
    with pytest.raises(ValueError, match="NoHead is not in the mmseg::model registry"):
        check_geometry(resnet18(type="NoHead"))


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"model.decode_head.in_channels": [256, 512, 512]},
            r"told of .*512 channels at stride 32 .* 2: 4096 channels at stride 32: .*in_channels=\[256, 512, 4096\]",
        ),
        (
            {"model.backbone.width": 0.5},
            "FCConvNeck does not take the maps of FCNVGG .128 channels at stride 8; .*set model.neck",
        ),
    ],
)
def test_channels_of_the_vgg_configs(options, message):
    with pytest.raises(ValueError, match=message):
        check_geometry(fcn8s(**options))


def test_config_that_imports_what_is_not_installed(tmp_path):
    path = tmp_path / "config.py"
    path.write_text("custom_imports = dict(imports=['no_such_package.models'], allow_failed_imports=False)")
    with pytest.raises(ValueError, match=r"config.py imports what is not installed \(.*no_such_package.*install it"):
        read_config(path)


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
