"""Losses of the toolbox on our heads: which work with ignored pixels, and which are refused when the head is built."""

import re
import warnings
from pathlib import Path

import mmseg.models.losses
import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from testing.utils import ROOT
from torch import nn

from fcn_plugin.geometry import CoordMap, FeatureMap
from fcn_plugin.models.losses import trial
from fcn_plugin.models.losses.trial import check_losses

init_default_scope("mmseg")
MAPS = [FeatureMap(4, CoordMap(8, 0))]
OHEM = dict(type="OHEMPixelSampler", thresh=0.7, min_kept=10)
DOC = Path(ROOT, "docs/own_head.md").read_text()
#: The rows of the document: a setting, and what is said of it.
LISTED = dict(re.findall(r"^\| `(dict\(type=.*?\))` \| (.*?) \|$", DOC, re.M))
REFUSED = {
    "BoundaryLoss": "unexpected keyword argument 'weight'",
    "OhemCrossEntropy": "unexpected keyword argument 'weight'",
    "SiLogLoss": "unexpected keyword argument 'ignore_index'",
}


def head(loss: dict, **settings) -> nn.Module:
    return MODELS.build(dict(type="FCN32sHead", num_classes=4, input_maps=MAPS, loss_decode=loss, **settings))


def test_each_loss_of_the_toolbox_is_here():
    losses = {
        name
        for name in mmseg.models.losses.__all__
        if isinstance(kind := getattr(mmseg.models.losses, name), type) and issubclass(kind, nn.Module)
    }
    listed = {re.search(r"type='(\w+)'", setting)[1] for setting in LISTED}
    assert len(LISTED) > 6 and losses - {"Accuracy"} == (listed & losses) | REFUSED.keys()


@pytest.mark.parametrize("setting", LISTED)
def test_listed_losses_work(setting):
    """Forward and backward are finite; what a row says of ignored pixels is true."""
    settings = eval(setting)
    if settings["type"] == "FocalLoss":
        pytest.skip("on a GPU alone")
    built = head(settings)
    assert check_losses(built, trains=True) == ([settings["type"]] if "ignored pixels count" in LISTED[setting] else [])
    logits = torch.randn(2, 4, 20, 30).requires_grad_()
    labels = torch.randint(0, 4, (2, 20, 30))
    labels[:, :6] = 255
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        built.loss_decode(logits, labels, ignore_index=255).backward()
    assert logits.grad.isfinite().all() and logits.grad[:, :, 6:].abs().sum() > 0


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    with pytest.raises(
        ValueError, match=f"{name} cannot train a head of 4 scores a pixel, .*{REFUSED[name]}.*docs/own_"
    ):
        head(dict(type=name))


def test_losses_of_a_gpu_are_refused_where_one_trains_without():
    """A model that was trained with one is used anywhere."""
    built = head(dict(type="FocalLoss"))
    with pytest.raises(ValueError, match="FocalLoss cannot train a head .*must match the size of tensor"):
        check_losses(built, trains=True)


def test_weights_of_a_sampler():
    check_losses(head(dict(type="TverskyLoss"), sampler=OHEM), trains=True)
    with pytest.raises(ValueError, match=r"DiceLoss cannot train .*weights of OHEMPixelSampler \(AssertionError\)"):
        head(dict(type="DiceLoss"), sampler=OHEM)


def test_trials_draw_no_numbers_and_wait_for_nobody(monkeypatch):
    built = head(dict(type="CrossEntropyLoss"), sampler=dict(type="PatchPixelSampler", keep_prob=0.5))
    before = torch.get_rng_state()
    check_losses(built, trains=True)
    assert torch.equal(torch.get_rng_state(), before)
    monkeypatch.setattr(trial, "get_world_size", lambda: 2)
    head(dict(type="SiLogLoss"))


class Loss(nn.Module):
    """A loss of one's own."""

    def __init__(self, **attributes) -> None:
        super().__init__()
        self.scale = torch.ones(1)
        vars(self).update(attributes)

    def forward(self, logits, labels, weight=None, ignore_index=255):
        return self.scale * logits.square().mean() / getattr(self, "divisor", 1)


def test_losses_of_ones_own(monkeypatch):
    monkeypatch.setitem(MODELS.module_dict, "OwnLoss", Loss)
    with pytest.raises(ValueError, match="Loss has no loss_name"):
        head(dict(type="OwnLoss"))
    with pytest.raises(ValueError, match=r"Loss cannot train .*\(it is not finite\)"):
        head(dict(type="OwnLoss", loss_name="loss_own", divisor=0.0))
    with torch.device("meta"):  # without values, nothing is told
        head(dict(type="OwnLoss", loss_name="loss_own"))
    assert check_losses(head([dict(type="PixelCrossEntropyLoss"), dict(type="OwnLoss", loss_name="loss_own")])) == [
        "Loss"
    ]
