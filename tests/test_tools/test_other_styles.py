"""Configs as other people write them, through every command: in pure Python, with scopes, and MMSegmentation's own."""

import runpy
import sys
import warnings
from pathlib import Path

import mmseg
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.utils import digit_version
from PIL import Image
from testing.utils import skip_on_openmmlab
from yapf.yapflib import yapf_api

from fcn_plugin import config_dir
from fcn_plugin_cli import main as cli

EXPORTS = digit_version(torch.__version__) >= digit_version("2.8")
TOOLBOX = Path(mmseg.__file__).parent / ".mim"

PURE = """
from mmcv.transforms import LoadImageFromFile, RandomFlip, Resize, TestTimeAug
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop, LogProcessor, TestLoop, ValLoop
from mmengine.visualization import LocalVisBackend
from mmseg.datasets import PascalVOCDataset
from mmseg.datasets.transforms import LoadAnnotations, PackSegInputs
from mmseg.evaluation import IoUMetric
from mmseg.models import SegDataPreProcessor, SegTTAModel
from mmseg.visualization import SegLocalVisualizer
from torch.optim import SGD

from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.models.decode_heads import FCN8sHead
from fcn_plugin.models.segmentors import AlignedEncoderDecoder

default_scope = "mmseg"
model = dict(
    type=AlignedEncoderDecoder,
    data_preprocessor=dict(type=SegDataPreProcessor, mean=[104.0] * 3, std=[1.0] * 3, size_divisor=1),
    backbone=dict(type=FCNVGG, depth=11, padding=1, width=0.05),
    decode_head=dict(type=FCN8sHead, num_classes=21),
)
load = [dict(type=LoadImageFromFile), dict(type=LoadAnnotations)]
pack = dict(type=PackSegInputs)


def dataset(split, *steps):
    folders = dict(img_path="JPEGImages", seg_map_path="SegmentationClass")
    return dict(type=PascalVOCDataset, data_root=DATA, ann_file=f"ImageSets/Segmentation/{split}.txt",
                data_prefix=folders, pipeline=[*load, *steps, pack])


workers = dict(batch_size=1, num_workers=0, persistent_workers=False)
train_dataloader = dict(
    sampler=dict(type=InfiniteSampler), dataset=dataset("train", dict(type=RandomFlip, prob=0.5)), **workers)
val_dataloader = dict(sampler=dict(type=DefaultSampler, shuffle=False), dataset=dataset("val"), **workers)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type=IoUMetric, iou_metrics=["mIoU"])
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=SGD, lr=0.001))
train_cfg = dict(type=IterBasedTrainLoop, max_iters=2, val_interval=2)
val_cfg, test_cfg = dict(type=ValLoop), dict(type=TestLoop)
default_hooks = dict(
    logger=dict(type=LoggerHook, interval=1, log_metric_by_epoch=False),
    checkpoint=dict(type=CheckpointHook, by_epoch=False, interval=2))
log_processor = dict(type=LogProcessor, by_epoch=False)
visualizer = dict(type=SegLocalVisualizer, vis_backends=[dict(type=LocalVisBackend)], name="visualizer")
tta_model = dict(type=SegTTAModel)
tta_pipeline = [
    dict(type=LoadImageFromFile),
    dict(type=TestTimeAug, transforms=[
        [dict(type=Resize, scale_factor=1.0)],
        [dict(type=RandomFlip, prob=0.0), dict(type=RandomFlip, prob=1.0)],
        [dict(type=LoadAnnotations)],
        [pack]])]
"""

#: Both heads of a cascade, the toolbox's, on a backbone of ours.
SCOPED = """
_base_ = CONFIGS + "/fcn8s_vgg16_voc.py"
earlier_stage = None
head = dict(in_channels=26, in_index=-1, channels=4, num_classes=21, norm_cfg=dict(type="BN"))
model = dict(
    _delete_=True,
    type="mmseg.CascadeEncoderDecoder",
    num_stages=2,
    data_preprocessor=dict(type="mmseg.SegDataPreProcessor", mean=[104.0] * 3, std=[1.0] * 3, size_divisor=1),
    backbone=dict(type="mmseg.FCNVGG", depth=11, padding=1, width=0.05),
    decode_head=[dict(type="mmseg.FCNHead", **head), dict(type="mmseg.OCRHead", ocr_channels=4, **head)],
    test_cfg=dict(mode="whole"))
load = [dict(type="mmengine.LoadImageFromFile"), dict(type="mmseg.LoadAnnotations")]
dataset = dict(type="mmseg.PascalVOCDataset", data_root=DATA, pipeline=[*load, dict(type="mmseg.PackSegInputs")])
workers = dict(num_workers=0, persistent_workers=False, dataset=dataset)
train_dataloader = dict(sampler=dict(type="mmengine.InfiniteSampler"), **workers)
val_dataloader = dict(sampler=dict(type="mmengine.DefaultSampler"), **workers)
test_dataloader = val_dataloader
val_evaluator = dict(type="mmseg.IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
optim_wrapper = dict(type="mmengine.OptimWrapper", optimizer=dict(type="mmengine.SGD", lr=0.001))
train_cfg = dict(type="mmengine.IterBasedTrainLoop", max_iters=2, val_interval=2)
default_hooks = dict(
    logger=dict(type="mmengine.LoggerHook", interval=1), checkpoint=dict(type="mmengine.CheckpointHook", interval=2))
visualizer = dict(type="mmseg.SegLocalVisualizer", vis_backends=[dict(type="mmengine.LocalVisBackend")])
tta_model = dict(type="mmseg.SegTTAModel")
tta_pipeline = [
    dict(type="mmengine.LoadImageFromFile"),
    dict(type="mmengine.TestTimeAug", transforms=[
        [dict(type="mmengine.RandomFlip", prob=p) for p in (0.0, 1.0)],
        [dict(type="mmseg.LoadAnnotations")],
        [dict(type="mmseg.PackSegInputs")]])]
del load, dataset, workers, head
"""

#: A dilated network of the toolbox, by its own files alone; nothing in it imports this package.
OWN_OF_MMSEG = """
_base_ = [MMSEG + f"/configs/_base_/{name}.py" for name in (
    "models/fcn_r50-d8", "datasets/pascal_voc12", "default_runtime", "schedules/schedule_20k")]
norm = dict(type="BN", requires_grad=True)
model = dict(
    data_preprocessor=dict(size=(32, 32)),
    pretrained=None,
    backbone=dict(norm_cfg=norm, depth=18, base_channels=4, stem_channels=4),
    decode_head=dict(norm_cfg=norm, num_classes=21, in_channels=32, channels=4),
    auxiliary_head=dict(norm_cfg=norm, num_classes=21, in_channels=16, channels=4))
load = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")]
crop = dict(type="RandomCrop", crop_size=(32, 32))
workers = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    batch_size=2, dataset=dict(data_root=DATA, pipeline=[*load, crop, dict(type="PackSegInputs")]), **workers)
val_dataloader = dict(dataset=dict(data_root=DATA, pipeline=[*load, dict(type="PackSegInputs")]), **workers)
test_dataloader = val_dataloader
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks = dict(checkpoint=dict(interval=2), logger=dict(interval=1))
del norm, load, crop, workers
"""

STYLES = dict(pure=PURE, scoped=SCOPED, mmseg=OWN_OF_MMSEG)


@pytest.fixture
def fcn(tmp_path, monkeypatch):
    """Call ``fcn`` in this process, in an empty directory; what it prints is not looked at."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")  # fcn sets it: for this test alone
    # mmengine formats the config for the log, the checkpoint and the work directory, for seconds each
    monkeypatch.setattr(yapf_api, "FormatCode", lambda code, **_: (code, False))

    def call(*arguments: object) -> None:
        with DefaultScope.overwrite_default_scope("mmseg"), warnings.catch_warnings():
            cli.main([str(argument) for argument in arguments])

    return call


@pytest.mark.parametrize("style", STYLES)
def test_every_command(style, fcn, voc):
    config, picture, text = Path("own.py"), voc / "JPEGImages/image4.jpg", STYLES[style]
    for name, place in dict(DATA=voc, MMSEG=TOOLBOX, CONFIGS=config_dir()).items():
        text = text.replace(name, repr(str(place)))
    config.write_text(text)
    fcn("train", config, "--work-dir", "work", "--amp")
    checkpoint = "work/iter_2.pth"
    fcn("test", config, checkpoint, "--work-dir", "work", "--tta", "--no-amp", "--out", "predictions")
    fcn("predict", picture, config, checkpoint, "--out", "predicted", "--tta", "--device", "cpu")
    if EXPORTS:
        fcn("export", config, checkpoint, "--out", "network.pt2", "--shape", 40, 48, "--fixed-size")
    fcn("browse", config, "--split", "val", "--out", "browsed", "--number", 1)
    fcn("alignment", config)
    fcn("plot", "work", "--out", "curves.png")
    fcn("report", "work", "--out", "report.html", "--predictions", "x=predictions")
    fcn("compare", config, "x=predictions", "--out", "compared")
    # the test and the single picture have been predicted by the same steps
    tested, predicted = (
        np.array(Image.open(path)) for path in ("predictions/image4.png", "predicted/labels/image4.png")
    )
    assert tested.shape == (40, 48) and np.array_equal(tested, predicted)
    if EXPORTS:
        logits = torch.export.load("network.pt2").module()(torch.zeros(1, 3, 40, 48))
        assert logits.shape == (1, 21, 40, 48)
    assert len(list(Path("browsed").iterdir())) == 1
    assert "mIoU" in Path("report.html").read_text() and Path("curves.png").stat().st_size > 1000


@pytest.mark.parametrize("tool", ["browse_dataset.py --not-show --output-dir out", "get_flops.py --shape 64 64"])
def test_tools_of_the_toolbox(tool, voc, tmp_path, monkeypatch, capsys):
    """They build the visualizer, and the model, of a config without a runner."""
    skip_on_openmmlab("browse and get_flops tools that fit its MMEngine and OpenCV")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        f"_base_ = {str(config_dir() / 'fcn32s_vgg16_voc.py')!r}\n"
        f"train_dataloader = dict(dataset=dict(data_root={str(voc)!r}))\n"
        "model = dict(backbone=dict(width=0.05), neck=dict(in_channels=26, channels=8))\n"
    )
    name, *options = tool.split()
    script = str(TOOLBOX / "tools/analysis_tools" / name)
    monkeypatch.setattr(sys, "argv", [script, "own.py", *options])
    with DefaultScope.overwrite_default_scope("mmseg"), warnings.catch_warnings():
        runpy.run_path(script, run_name="__main__")
    if name == "browse_dataset.py":
        assert sorted(path.name for path in Path("out").iterdir()) == [f"image{i}.jpg" for i in range(4)]
    else:
        assert "Flops: " in capsys.readouterr().out
