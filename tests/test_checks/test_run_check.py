"""A run as a whole: every problem of its models, weights and data, in one error."""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from testing.utils import make_voc, tiny_config

from fcn_plugin.checks.run import check_evaluation, check_training
from fcn_plugin.checks.weights import model_to_check
from fcn_plugin.utils.config import read_config
from fcn_plugin.weights.checkpoint import WeightsError

CLASSES = "model.decode_head.num_classes"


@pytest.fixture
def stages(tmp_path, voc):
    """The configs of FCN-32s, 16s and 8s."""
    return [read_config(tiny_config(tmp_path, voc, f"{name}_vgg16_voc")) for name in ("fcn32s", "fcn16s", "fcn8s")]


def changed(cfg: Config, **options) -> Config:
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict(options)
    return cfg


def test_good_stages(stages):
    check_training(stages, [()] * 3)


def test_classes_of_the_stages(stages):
    """Found before the first stage is trained, unless they may differ."""
    stages = [*stages[:2], changed(stages[2], **{CLASSES: 22})]
    message = "the weights of fcn16s, the stage before fcn8s: the checkpoint has 21 classes, the config 22: set"
    with pytest.raises(WeightsError, match=message):
        check_training(stages, [()] * 3)
    check_training(stages, [(), (), ("decode_head",)])
    with pytest.raises(WeightsError, match=message):
        check_training(stages, [("decode_head",), ("decode_head",), ()])


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"model.neck.channels": 16, "model.decode_head.in_channels": [26, 16]}, "of another shape: neck.fc6.weight"),
        ({"model.data_preprocessor.bgr_to_rgb": True}, "expects BGR images.*the config gives RGB images"),
        ({"model.decode_head.skip_scales": [0.01]}, None),
    ],
)
def test_what_a_stage_hands_on(settings, message, stages):
    stages = [stages[0], changed(stages[1], **settings)]
    if message is None:
        check_training(stages, [()] * 2)
        return
    with pytest.raises(WeightsError, match=f"the weights of fcn32s, the stage before fcn16s.*{message}"):
        check_training(stages, [()] * 2)


def test_a_stage_left_out(stages):
    with pytest.raises(WeightsError, match="the weights of fcn32s, the stage before fcn8s: .*unknown: decode_head.ups"):
        check_training([stages[0], stages[2]], [()] * 2)


def test_all_problems_in_one_error(stages, tmp_path):
    """Each once, though two stages share the data."""
    voc = make_voc(tmp_path / "broken")
    label = voc / "SegmentationClass/image0.png"
    values = np.array(Image.open(label))
    values[-1, -2:] = 99
    Image.fromarray(values).save(label)
    root = {f"{name}_dataloader.dataset.data_root": str(voc) for name in ("train", "val")}
    stages = [changed(cfg, **root) for cfg in stages]
    stages[0].load_from = "missing.pth"
    stages[1].merge_from_dict({"model.backbone.detph": 16})
    stages[2].model.backbone.init_cfg = dict(type="Pretrained", checkpoint="none.caffemodel")
    with pytest.raises(ValueError) as caught:
        check_training(stages, [()] * 3)
    first, *problems = str(caught.value).splitlines()
    assert first == "4 problems"
    for problem, expected in zip(
        [line for line in problems if line.startswith("- ")],
        [
            "FCNVGG has no setting 'detph', did you mean 'depth'?",
            "- the pretrained weights of backbone: there is no weight file none.caffemodel; give others",
            "- there is no weight file missing.pth",
            "- problems in the data: 1 (--no-check leaves this check out)",
        ],
        strict=True,
    ):
        assert expected in problem
    assert problems[-1] == f"  {label}: 99 (pixels: 2)"
    stages[0].load_from = None
    stages[1].model.backbone.pop("detph")
    stages[2].model.backbone.init_cfg = None
    with pytest.raises(ValueError, match=r"^problems in the data: 1 \(--no-check leaves this check out\)\nlabels with"):
        check_training(stages, [()] * 3)
    check_training(stages, [()] * 3, samples=False)


def test_missing_data_is_told_once(stages):
    root = {f"{name}_dataloader.dataset.data_root": "nowhere" for name in ("train", "val")}
    with pytest.raises(FileNotFoundError, match="train_dataloader needs nowhere/JPEGImages, which does not exist. Run"):
        check_training([changed(cfg, **root) for cfg in stages], [()] * 3)


def test_evaluation(stages, tmp_path):
    cfg = stages[1]
    with pytest.raises(ValueError, match="there is no checkpoint to evaluate: set load_from"):
        check_evaluation(cfg, "test_dataloader")
    weights = {key: torch.zeros(value.shape) for key, value in model_to_check(stages[0]).state_dict().items()}
    cfg.load_from = str(tmp_path / "fcn32s.pth")
    torch.save(dict(state_dict=weights), cfg.load_from)
    check_training([cfg], [()])
    with pytest.raises(WeightsError, match=r"missing: decode_head.score_pool4.*checkpoint of this config$"):
        check_evaluation(cfg, "test_dataloader")
    cfg.model.backbone.init_cfg = dict(type="Pretrained", checkpoint="gone.pth")  # is not read
    check_evaluation(cfg, "test_dataloader", may_differ=["decode_head"])
    cfg.model.backbone.init_cfg = None
    cfg.resume = True  # a checkpoint to go on from is of this stage
    with pytest.raises(WeightsError, match=r"missing: decode_head.score_pool4.*checkpoint of this config$"):
        check_training([cfg], [()])
