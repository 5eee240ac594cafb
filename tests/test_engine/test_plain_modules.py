"""Networks of other people, plain modules without the toolbox's init_cfg and init_weights, from the checks on."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS, init_default_scope
from mmseg.registry import MODELS
from testing import plain_modules  # noqa: F401  registers them
from testing.utils import tiny_config, weights
from yapf.yapflib import yapf_api

from fcn_plugin.checks.model import check_model
from fcn_plugin.engine.hooks.checkpoint_check_hook import start_warnings

GEOMETRY = [dict(stride=stride, offset=0) for stride in (8, 16, 32)]
HEAD = dict(type="FCN8sHead", num_classes=11, geometry=GEOMETRY)


def segmentor(kind: str = "AlignedEncoderDecoder", **parts) -> dict:
    return dict(type=kind, **{"backbone": dict(type="PlainBackbone"), "decode_head": HEAD, **parts})


def test_training(voc, tmp_path, monkeypatch):
    """Two iterations and a validation; weights change in all parts."""
    monkeypatch.setattr(yapf_api, "FormatCode", lambda code, **_: (code, False))  # for seconds
    options = {"train_cfg.max_iters": 2, "train_cfg.val_interval": 2, "optim_wrapper.paramwise_cfg": {}}
    cfg = Config.fromfile(tiny_config(tmp_path, voc, "fcn8s_r50_camvid", precision="float32", **options))
    cfg.data_check = False
    model = segmentor(
        neck=dict(type="PlainNeck"),
        auxiliary_head=dict(type="PlainHead", num_classes=11),
        decode_head=dict(HEAD, loss_decode=dict(type="PlainLoss")),
    )
    cfg.model = dict(model, data_preprocessor=cfg.model.data_preprocessor)
    cfg.work_dir = str(tmp_path / "work")
    trained = RUNNERS.build(cfg).train()
    saved = weights(tmp_path / "work/iter_2.pth")
    assert saved.keys() == trained.state_dict().keys() and torch.equal(
        saved["backbone.stem.weight"], trained.backbone.stem.weight
    )
    torch.manual_seed(0)
    before = MODELS.build(cfg.model).state_dict()
    parts = {key.partition(".")[0] for key in saved}
    changed = {key.partition(".")[0] for key, value in saved.items() if not torch.equal(value, before[key])}
    assert parts == changed == {"backbone", "neck", "decode_head", "auxiliary_head"}


def test_plain_head_in_the_toolboxs_segmentor():
    init_default_scope("mmseg")
    head = dict(type="PlainHead", num_classes=11)
    cfg = Config(dict(model=segmentor("EncoderDecoder", decode_head=head, test_cfg=dict(mode="whole"))))
    check_model(cfg)
    assert start_warnings(MODELS.build(cfg.model)) == []


@pytest.mark.parametrize("kind", ["PlainBackboneOfOtherNames", "PlainBackboneWithValues"])
def test_attributes_are_not_taken_for_ours(kind):
    init_default_scope("mmseg")
    model = segmentor(backbone=dict(type=kind), decode_head=dict(HEAD, in_channels=[4, 4, 4]))
    check_model(Config(dict(model=model)))
    assert MODELS.build(model).eval()(torch.zeros(1, 3, 50, 70), mode="tensor").shape == (1, 11, 50, 70)


def test_backbone_that_nothing_is_known_of():
    """Not even its channels; the reference's are not taken for them."""
    init_default_scope("mmseg")
    for missing in ("in_channels", "geometry"):
        head = {key: value for key, value in dict(HEAD, in_channels=[4, 4, 4]).items() if key != missing}
        with pytest.raises(ValueError, match="nothing is known .*, so decode_head.in_channels is needed .*geometry="):
            MODELS.build(segmentor(backbone=dict(type="PlainBackboneWithValues"), decode_head=head))


def test_maps_by_names():
    init_default_scope("mmseg")
    head = dict(HEAD, in_channels=[4, 4, 4])
    model = MODELS.build(segmentor(backbone=dict(type="PlainBackboneOfNames"), decode_head=head))
    with pytest.raises(TypeError, match=r"in a tuple, .* got a dict of PlainBackboneOfNames: return tuple\(maps.val"):
        model(torch.zeros(1, 3, 50, 70), mode="tensor")
