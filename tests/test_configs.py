from pathlib import Path

import pytest
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS, TRANSFORMS
from testing.utils import shipped_config
from torch.nn.modules.batchnorm import _BatchNorm

from fcn_plugin import config_dir
from fcn_plugin.geometry.backbones import trunk_maps
from fcn_plugin.geometry.trunk import build_without_values
from fcn_plugin.models.segmentors import AlignedEncoderDecoder

LEAVES = sorted(config_dir().glob("*.py"))
NAMES = {path.stem for path in LEAVES}


def test_the_promised_configs_are_there():
    promised = {f"fcn{s}_vgg16_{d}" for s in ("32s", "16s", "8s") for d in ("voc", "sbd", "camvid", "shapes")}
    promised |= {f"fcn8s-atonce_vgg16_{d}" for d in ("voc", "sbd", "camvid")}
    cvpr = ("32s", "16s", "8s", "32s-fixed", "32s-patchwise", "32s-balanced", "32s-augmented")
    promised |= {f"fcn{variant}_vgg16_cvpr_sbd" for variant in cvpr}
    others = ["fcn8s_r50", "fcn8s_mobilenetv2", "fcn8s_swin-t", "fcn8s_convnext-t", "fcn8s_vgg16-bn", "fcn4s_hrnet-w18"]
    promised |= {f"{name}_camvid" for name in others}
    assert NAMES >= promised | {"fcn32s_caffenet_cvpr_sbd", "fcn32s_googlenet_cvpr_sbd"}


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.stem)
def test_config_builds(path):
    cfg = shipped_config(path)
    init_default_scope("mmseg")
    model = build_without_values(cfg.model)
    model.train()
    head = model.decode_head
    maps = trunk_maps(cfg.model.backbone, cfg.model.get("neck"))
    assert head.feature_maps == tuple(maps[i] for i in head.in_index)
    if type(model) is AlignedEncoderDecoder:
        assert len(maps) == len(head.in_index)  # a map that the head does not use would have idle parameters
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        pipeline = cfg[name].dataset.pipeline
        assert len(Compose([TRANSFORMS.build(step) for step in pipeline]).transforms) == len(pipeline) >= 3
    # translation and sampling are off unless the name says otherwise
    steps = {step.type for step in cfg.train_dataloader.dataset.pipeline}
    assert ("RandomTranslate" in steps) == ("-augmented" in path.stem)
    assert ("sampler" in cfg.model.decode_head) == ("-patchwise" in path.stem)
    # the toolbox's hook draws, and its model tests, pictures of one size at a time
    assert cfg.val_dataloader.batch_size == cfg.test_dataloader.batch_size == 1
    assert cfg.default_hooks.checkpoint.max_keep_ckpts >= 2 and not cfg.default_hooks.checkpoint.get("save_best")
    assert cfg.data_help and not {"load", "pack", "dataset", "trunk"} & set(cfg)


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.stem)
def test_leaf_is_short_and_says_what_it_is(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 14
    assert lines[0].startswith("# FCN-") and "train list: " in lines[0] and "val list: " in lines[0]


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.stem)
def test_stages_lead_from_32s_to_8s(path):
    cfg = shipped_config(path)
    stem, order = path.stem, ["fcn32s", "fcn16s", "fcn8s"]
    kind = stem.split("_")[0].split("-")[0]
    if "atonce" in stem or kind == "fcn32s" or stem.split("_")[1] != "vgg16":  # other backbones have norm layers
        assert "earlier_stage" not in cfg
    else:
        earlier = order[order.index(kind) - 1]
        assert Path(cfg.earlier_stage) == path.with_name(stem.replace(kind, earlier, 1) + ".py")
        assert Path(cfg.earlier_stage).is_file()


@pytest.mark.parametrize(
    "name, rate, scales",
    [("fcn32s", 1e-10, []), ("fcn16s", 1e-12, [1]), ("fcn8s", 1e-14, [1, 1]), ("fcn8s-atonce", 1e-10, [1e-4, 1e-2])],
)
@pytest.mark.parametrize("data, lists", [("voc", ("train", "val")), ("sbd", ("sbd_train", "seg11valid"))])
def test_pami_recipe(name, rate, scales, data, lists):
    cfg = Config.fromfile(config_dir() / f"{name}_vgg16_{data}.py")
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum, optimizer.weight_decay) == ("SGD", rate, 0.99, 5e-4)
    assert cfg.optim_wrapper.paramwise_cfg == dict(bias_lr_mult=2, bias_decay_mult=0)
    assert "param_scheduler" not in cfg and cfg.train_cfg.max_iters == 100_000
    assert cfg.train_dataloader.batch_size == 1 and cfg.model.backbone.padding == 100
    head = cfg.model.decode_head
    assert head.loss_decode == dict(type="PixelCrossEntropyLoss", reduction="sum") and head.num_classes == 21
    init_default_scope("mmseg")
    assert MODELS.build(head).skip_scales == scales
    preprocessor = cfg.model.data_preprocessor
    assert preprocessor.mean == [104.00699, 116.66877, 122.67892] and preprocessor.std == [1, 1, 1]
    assert not preprocessor.bgr_to_rgb
    found = (cfg[f"{split}_dataloader"].dataset.ann_file for split in ("train", "val"))
    assert tuple(found) == tuple(f"ImageSets/Segmentation/{name}.txt" for name in lists)
    assert [step.type for step in cfg.train_dataloader.dataset.pipeline] == [
        "LoadImageFromFile",
        "LoadLabels",
        "PackSegInputs",
    ]


@pytest.mark.parametrize("name, rate", [("fcn32s", 1e-4), ("fcn16s", 1e-6), ("fcn8s", 1e-8)])
def test_cvpr_recipe(name, rate):
    cfg = Config.fromfile(config_dir() / f"{name}_vgg16_cvpr_sbd.py")
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum, optimizer.weight_decay) == ("SGD", rate, 0.9, 5e-4)
    assert cfg.optim_wrapper.paramwise_cfg == dict(bias_lr_mult=2, bias_decay_mult=0)
    assert "param_scheduler" not in cfg and cfg.train_dataloader.batch_size == 20
    init_default_scope("mmseg")
    head = MODELS.build(cfg.model.decode_head)
    assert head.loss_decode.reduction == "mean" and head.loss_decode.class_weight is None and head.sampler is None
    learned = {layer: getattr(head, layer).weight.requires_grad for layer in head.upscore_names}
    assert learned == {layer: layer != head.upscore_names[-1] for layer in head.upscore_names}
    pami = Config.fromfile(config_dir() / f"{name}_vgg16_sbd.py")
    for key in ("backbone", "neck", "data_preprocessor"):
        assert cfg.model[key] == pami.model[key]
    assert cfg.train_dataloader.dataset == pami.train_dataloader.dataset and cfg.val_dataloader == pami.val_dataloader


@pytest.mark.parametrize("variant", ["fixed", "patchwise", "balanced", "augmented"])
def test_variants_of_the_cvpr_recipe(variant):
    """Each differs from FCN-32s in what its name says, and in nothing else."""
    plain = Config.fromfile(config_dir() / "fcn32s_vgg16_cvpr_sbd.py")
    cfg = Config.fromfile(config_dir() / f"fcn32s-{variant}_vgg16_cvpr_sbd.py")
    if variant == "fixed":
        assert (cfg.model.backbone.pop("frozen_stages"), cfg.model.neck.pop("frozen")) == (5, True)
    elif variant == "patchwise":
        sampler = cfg.model.decode_head.pop("sampler")
        assert sampler == dict(type="PatchPixelSampler", keep_prob=0.5, cell=32)
        # as many pixels in a batch as of whole images
        assert cfg.train_dataloader.batch_size * sampler.keep_prob == plain.train_dataloader.batch_size
        cfg.train_dataloader.batch_size = plain.train_dataloader.batch_size
    elif variant == "balanced":
        background, *objects = cfg.model.decode_head.loss_decode.pop("class_weight")
        # of every four pixels, three are background: with these weights, half of the loss
        assert 3 * background == pytest.approx(1) and objects == [1] * 20
    else:
        steps = cfg.train_dataloader.dataset.pipeline
        assert steps[3:5] == [dict(type="RandomFlip", prob=0.5), dict(type="RandomTranslate", max_shift=32)]
        assert steps.pop(2).type == "SeedTransforms"
        del steps[2:4]
        assert cfg.pop("train_pipeline") != plain.pop("train_pipeline")
    assert cfg.to_dict() == plain.to_dict()


@pytest.mark.parametrize("path", [path for path in LEAVES if "vgg16_" not in path.stem], ids=lambda path: path.stem)
def test_backbones_with_batch_norm_keep_its_statistics(path):
    """One image at a time has none of its own that are worth keeping."""
    cfg = shipped_config(path)
    if cfg.train_dataloader.batch_size > 1:
        return
    init_default_scope("mmseg")
    backbone = build_without_values(cfg.model).backbone
    backbone.train()
    norms = [module for module in backbone.modules() if isinstance(module, _BatchNorm)]
    assert all(not norm.training and norm.weight.requires_grad for norm in norms)
    assert bool(norms) == any(name in path.stem for name in ("r50", "mobilenet", "hrnet", "-bn"))
