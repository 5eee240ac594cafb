"""The shipped configs: each is built once, and must fit its data, its name, its first line and its metafile."""

import functools
import inspect
import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import DATASETS, TRANSFORMS
from testing.utils import ROOT, skip_on_openmmlab
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from fcn_plugin import __version__, config_dir
from fcn_plugin.checks.model import check_model
from fcn_plugin.evaluation import FCNMetric
from fcn_plugin.models.segmentors import AlignedEncoderDecoder

LEAVES = sorted(config_dir().glob("*.py"))
ORDER = ["fcn32s", "fcn16s", "fcn8s"]
LAYERS = {
    "fcn32s": ["score_fr", "upscore"],
    "fcn16s": ["score_fr", "score_pool4", "upscore2", "upscore16"],
    "fcn8s": ["score_fr", "score_pool4", "score_pool3", "upscore2", "upscore_pool4", "upscore8"],
    "fcn4s": ["score_fr", "score_pool4", "score_pool3", "score_pool2"]
    + ["upscore2", "upscore_pool4", "upscore_pool3", "upscore4"],
}
#: What the first lines call the lists.
LISTS = {
    "VOC2012 train": "train",
    "VOC2012 val": "val",
    "SBD train": "sbd_train",
    "seg11valid": "seg11valid",
    "CamVid train": "train",
    "CamVid val": "val",
    "shapes train (1,000)": "train",
    "shapes val (80)": "val",
}
#: Keys that the toolbox reads elsewhere than in its runner, names that configs commonly change, and ours.
FURTHER_KEYS = {"custom_imports", "runner_type", "tta_model", "tta_pipeline"}
FURTHER_KEYS |= {"data_root", "train_pipeline", "test_pipeline", "vis_backends"}
FURTHER_KEYS |= {"data_check", "data_help", "earlier_stage", "precision"}
DATA = {"data_help", "train_dataloader.dataset.type", "train_dataloader.dataset.data_prefix.seg_map_path"}
DATA |= {f"{split}_dataloader.dataset.ann_file" for split in ("train", "val", "test")}
SCHEDULE = {"optim_wrapper.optimizer.lr", "optim_wrapper.optimizer.momentum", "train_dataloader.batch_size"}
SCHEDULE |= {"model.decode_head.loss_decode.reduction", "model.decode_head.learnable_upsampling"}
CVPR = "fcn32s_vgg16_cvpr_sbd"
VARIANTS = dict(
    fixed={"model.backbone.frozen_stages", "model.neck.frozen"},
    patchwise={"model.decode_head.sampler", "train_dataloader.batch_size"},
    balanced={"model.decode_head.loss_decode.class_weight"},
    augmented={"train_dataloader.dataset.pipeline", "train_pipeline"},
)
INDEX = yaml.safe_load((ROOT / "model-index.yml").read_text())
METAFILES = {name: yaml.safe_load((ROOT / name).read_text()) for name in INDEX["Import"]}
ENTRIES = [model for content in METAFILES.values() for model in content["Models"]]

all_configs = pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.stem)


@functools.cache
def build(path: Path) -> tuple[Config, nn.Module]:
    """A config, and its model without the values of its weights."""
    if "mmpretrain" in path.read_text():
        skip_on_openmmlab("mmpretrain")
    cfg = Config.fromfile(path)
    init_default_scope("mmseg")
    return cfg, check_model(cfg).train()


def test_every_config_is_in_one_metafile():
    assert sorted(model["Config"] for model in ENTRIES) == [f"configs/fcn/{path.name}" for path in LEAVES]
    assert all(Path(model["Config"]).stem == model["Name"] for model in ENTRIES) and len(LEAVES) >= 30
    links = {path.name: path.resolve() for path in (ROOT / "configs/fcn").glob("*.py")}  # of the names in the metafiles
    assert links == {path.name: path for path in LEAVES}
    for model in ENTRIES:  # by a model's name, MMEngine's inferencers read the key, whatever it says
        published = "http://dl.caffe.berkeleyvision.org/" if "Converted From" in model else "unpublished://"
        assert model["Weights"].startswith(published), model["Name"]
        assert "Converted From" in model or model["Weights"] == f"unpublished://{model['Name']}"
    assert set(METAFILES) == {str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.y*ml")}
    collections = [entry for content in METAFILES.values() for entry in content.get("Collections", [])]
    assert {model["In Collection"] for model in ENTRIES} == {entry["Name"] for entry in collections}
    for entry in collections:
        assert (ROOT / entry["README"]).is_file() and (ROOT / entry["Code"]["URL"]).is_file()
        assert entry["Code"]["Version"] == f"v{__version__}"


@all_configs
def test_model(path):
    cfg, model = build(path)
    head = model.decode_head
    layers = [name for name, module in head.named_children() if isinstance(module, nn.Conv2d) or "upscore" in name]
    assert type(model) is AlignedEncoderDecoder and layers == LAYERS[re.match(r"fcn\d+s", path.stem)[0]]
    if "_vgg16_" in path.stem:
        names = {name for name, _ in model.named_parameters()}
        assert {"backbone.conv1_1.weight", "backbone.conv5_3.bias", "neck.fc6.weight", "neck.fc7.weight"} <= names
    # translation and sampling are off unless the name says otherwise
    assert (head.sampler is not None) == ("-patchwise" in path.stem)
    # one image at a time has no statistics that BatchNorm could learn from
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if cfg.train_dataloader.batch_size == 1:
        assert all(not norm.training and norm.weight.requires_grad for norm in norms)
        assert bool(norms) == any(name in path.stem for name in ("r50", "mobilenet", "hrnet", "-bn"))


@all_configs
def test_data(path):
    cfg, model = build(path)
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        dataset = cfg[name].dataset
        assert len(DATASETS.get(dataset.type).METAINFO["classes"]) == model.decode_head.num_classes
        steps = Compose([TRANSFORMS.build(step) for step in dataset.pipeline]).transforms
        assert len(steps) == len(dataset.pipeline) >= 3
    assert any(step.type == "RandomTranslate" for step in cfg.train_dataloader.dataset.pipeline) == (
        "-augmented" in path.stem
    )
    for settings in (cfg.val_evaluator, cfg.test_evaluator):
        assert [type(metric) for metric in Evaluator(settings).metrics] == [FCNMetric]
    # the toolbox's hook draws, and its model tests, pictures of one size at a time
    assert cfg.val_dataloader.batch_size == cfg.test_dataloader.batch_size == 1


@all_configs
def test_keys(path):
    """A key that nothing reads is a mistake; what the toolbox's own tools read does the same there."""
    cfg, _ = build(path)
    assert set(cfg) <= {*inspect.signature(Runner.__init__).parameters} | FURTHER_KEYS
    assert cfg.runner_type == "StagedRunner" and cfg.data_help
    # by name for MMSegmentation's browse_dataset.py, its CAM and MMEngine's hub, which build without a runner
    assert cfg.visualizer.name == "visualizer" and cfg.data_preprocessor == cfg.model.data_preprocessor
    assert cfg.default_hooks.checkpoint.max_keep_ckpts >= 2 and not cfg.default_hooks.checkpoint.get("save_best")


@all_configs
def test_first_line_and_metafile(path):
    cfg, _ = build(path)
    (entry,) = (entry for entry in ENTRIES if entry["Name"] == path.stem)
    meta = entry["Metadata"]
    assert meta["Batch Size"] == cfg.train_dataloader.batch_size and meta["Iterations"] == cfg.train_cfg.max_iters
    assert meta["Architecture"][1] == re.match(r"fcn(\d+s)", path.stem).expand(r"FCN-\1")
    train, val = re.match(r"# FCN-.*; train list: (.*); val list: (.*)\.\n", path.read_text()).groups()
    assert meta["Training Data"] == {"shapes train (1,000)": "drawn shapes"}.get(train, train)
    for words, loader in ((train, cfg.train_dataloader), (val, cfg.val_dataloader), (val, cfg.test_dataloader)):
        assert Path(loader.dataset.ann_file) == Path(f"ImageSets/Segmentation/{LISTS[words]}.txt")


@all_configs
def test_stages_lead_from_32s_to_8s(path):
    cfg, _ = build(path)
    kind = re.match(r"fcn\d+s", path.stem)[0]
    if "atonce" in path.stem or kind == "fcn32s" or "_vgg16_" not in path.stem:  # other backbones have norm layers
        assert "earlier_stage" not in cfg
    else:
        earlier = dict((later, one) for one, later in pairwise(ORDER))[kind]
        assert Path(cfg.earlier_stage) == path.with_name(path.name.replace(kind, earlier, 1))
        assert Path(cfg.earlier_stage).is_file()


def differing(one: object, other: object, prefix: str = "") -> set[str]:
    """The keys, with those above them, in which two configs differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            found
            for key in one.keys() | other.keys()
            for found in differing(one.get(key), other.get(key), f"{prefix}.{key}")
        }
    return set() if one == other else {prefix[1:]}


@pytest.mark.parametrize(
    "one, other, keys",
    [
        *((f"{name}_vgg16_voc", f"{name}_vgg16_sbd", DATA) for name in (*ORDER, "fcn8s-atonce")),
        *((f"{name}_vgg16_cvpr_sbd", f"{name}_vgg16_sbd", SCHEDULE) for name in ORDER),
        *((CVPR, CVPR.replace("fcn32s", f"fcn32s-{name}"), keys) for name, keys in VARIANTS.items()),
    ],
)
def test_recipes_differ_in_what_they_say_alone(one, other, keys):
    """What a step of the recipes with SBD does, test_recipes.py tests."""
    cfgs = [Config.fromfile(config_dir() / f"{name}.py").to_dict() for name in (one, other)]
    assert differing(*cfgs) - {"earlier_stage"} == keys
