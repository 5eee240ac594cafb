"""The config of a new data set: read by the toolbox and by this package, and trained."""

import shutil
import sys

import pytest
import torch
from mmengine.config import Config
from testing.new_datasets import TINY, draw, facts

from fcn_plugin.apis.new_dataset import trunks
from fcn_plugin.apis.new_dataset.choices import Wishes, choose
from fcn_plugin.apis.new_dataset.config_text import config_files
from fcn_plugin.apis.train import train
from fcn_plugin.utils.config import read_config
from fcn_plugin.weights.checkpoint import load_safely


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Nothing is asked of a server."""
    monkeypatch.setattr(trunks, "published_file", lambda name: None)
    monkeypatch.setattr(trunks, "_paper_file", lambda: None)


def write(root, wishes, **changes):
    """The config, in a directory that may have pictures."""
    known = facts(**changes)
    for name, content in config_files(known, choose(known, wishes)).items():
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return root / "config.py"


def test_each_fact_once(tmp_path):
    config = write(tmp_path, Wishes(TINY), classes=("back 'ground'", "vessel"), image_suffix=".tif")
    cfg = Config.fromfile(config)
    assert cfg.model == read_config(str(config)).model
    assert cfg.train_dataloader.dataset.data_root == str(tmp_path) and cfg.work_dir == f"{tmp_path}/work_dir"
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.metainfo == dict(classes=("back 'ground'", "vessel"), palette=[[0] * 3, [255] * 3])
        assert loader.dataset.img_suffix == ".tif" and loader.dataset.type == "BaseSegDataset"
    assert cfg.model.decode_head.num_classes == 2
    assert cfg.custom_hooks[-1].monitor == cfg.default_hooks.checkpoint.save_best == "IoU"
    assert cfg.test_dataloader.dataset.ann_file == "ImageSets/Segmentation/val.txt"
    assert {"load", "dataset", "best", "stopping", "scales"}.isdisjoint(cfg)
    text = config.read_text()
    assert max(map(len, text.splitlines())) <= 120 and text.count("vessel") == 2  # once in a comment


def test_the_directory_can_be_moved(tmp_path):
    (tmp_path / "old").mkdir()
    write(tmp_path / "old", Wishes(TINY))
    moved = shutil.move(tmp_path / "old", tmp_path / "new")
    assert read_config(f"{moved}/config.py").data_root == str(tmp_path / "new")


@pytest.mark.parametrize("installed", [False, True])
def test_tensorboard_where_it_is_installed(installed, tmp_path, monkeypatch):
    if not installed:
        monkeypatch.setitem(sys.modules, "tensorboard", None)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    kinds = [backend.type for backend in read_config(str(write(tmp_path, Wishes(TINY)))).visualizer.vis_backends]
    assert kinds == ["LocalVisBackend"] + ["TensorboardVisBackend"] * installed


def test_figures_are_those_of_the_class_that_is_not_background(tmp_path):
    config = write(tmp_path, Wishes(TINY), classes=("vessel", "Background"))
    assert read_config(str(config)).val_evaluator.foreground == 0
    assert "Recall of 'vessel'" in config.read_text()


def test_many_classes_large_pictures_and_a_test_list(tmp_path):
    classes = tuple(f"class {number}" for number in range(30))
    changes = dict(classes=classes, palette=[(i, i, i) for i in range(30)], class_pixels=[3**i for i in range(30)])
    changes |= dict(splits=dict(train=5000, val=90_000, test=7), largest=(20000, 30000))
    config = write(tmp_path, Wishes(TINY), **changes)
    cfg = read_config(str(config))
    assert cfg.test_dataloader.dataset.ann_file == "ImageSets/Segmentation/test.txt"
    assert 0 < cfg.val_dataloader.dataset.indices < 90_000 and "indices" not in cfg.test_dataloader.dataset
    assert cfg.model.test_cfg == dict(mode="tiles", tile=1024, overlap=256) and "foreground" not in cfg.val_evaluator
    assert len(cfg.model.decode_head.loss_decode.class_weight) == 30 and "class_weight" not in cfg
    assert cfg.custom_hooks[-1].monitor == cfg.default_hooks.checkpoint.save_best == "mIoU"
    assert max(map(len, config.read_text().splitlines())) <= 120


@pytest.mark.parametrize("bands, bits, preprocessor", [(1, 8, "BandsDataPreProcessor"), (3, 16, "SegDataPreProcessor")])
@pytest.mark.parametrize("backbone", [TINY, "vgg16"])
def test_pictures_of_other_bands_and_bits(bands, bits, preprocessor, backbone, tmp_path):
    cfg = read_config(str(write(tmp_path, Wishes(backbone), bands=bands, bits=bits, mean=[9] * bands, std=[8] * bands)))
    for pipeline in (cfg.train_dataloader.dataset.pipeline, cfg.test_dataloader.dataset.pipeline, cfg.tta_pipeline):
        assert pipeline[0].type == "LoadBands"
    assert "PhotoMetricDistortion" not in [step.type for step in cfg.train_dataloader.dataset.pipeline]
    assert cfg.model.data_preprocessor.type == preprocessor and cfg.model.data_preprocessor.mean == [9] * bands
    assert (
        cfg.model.data_preprocessor.bgr_to_rgb == (bands == 3) and cfg.data_preprocessor == cfg.model.data_preprocessor
    )
    assert cfg.model.backbone.get("in_channels", 3) == bands


TINY_RUN = {"train_cfg.max_iters": 3, "train_cfg.val_interval": 3, "default_hooks.logger.interval": 1}
for loader in ("train", "val"):
    TINY_RUN |= {f"{loader}_dataloader.num_workers": 0, f"{loader}_dataloader.persistent_workers": False}
LOCAL = {"visualizer.vis_backends": [dict(type="LocalVisBackend")]}
NARROW = {"model.backbone.width": 0.05, "model.neck.in_channels": 26, "model.neck.channels": 32}


@pytest.mark.parametrize(
    "wishes, options",
    [
        (dict(), {}),
        (dict(sigmoid=True), LOCAL),
        (dict(backbone="vgg16"), NARROW | LOCAL | {"train_dataloader.batch_size": 2}),
    ],
    ids=["softmax", "sigmoid", "vgg16"],
)
def test_training(wishes, options, tmp_path, monkeypatch):
    """Three iterations and a validation, with the weights of the trunk in the directory."""
    import timm

    monkeypatch.chdir(tmp_path)
    wishes = {"backbone": TINY, **wishes}
    if wishes["backbone"] == TINY:
        wishes["weights"] = tmp_path / "weights.pth"
        torch.save(timm.create_model(TINY).state_dict(), wishes["weights"])
    root = draw(tmp_path / "data")
    changes = dict(splits=dict(train=3, val=1), sizes=[(48, 64)] * 3, largest=(48, 64), ceilings={8: 0.5, 4: 0.95})
    config = write(root, Wishes(**wishes), **changes)
    train(str(config), cfg_options={**TINY_RUN, **options}, check_data=not options)
    (best,) = (root / "work_dir").glob("best_IoU_iter_3.pth")
    (log,) = (root / "work_dir").glob("*/*.log")
    text = log.read_text()
    assert all(f"{name}:" in text for name in ("IoU", "Dice", "Precision", "Recall", "loss_ce"))
    if "weights" in wishes:  # a few small steps from there
        content, trained = load_safely(root / "backbone.pth"), load_safely(best)["state_dict"]
        key = "timm_model.conv_stem.weight"
        assert 0 < (trained[f"backbone.{key}"] - content[key]).abs().max() < 1e-3
