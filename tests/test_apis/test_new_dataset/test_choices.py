"""What is chosen from the facts of a data set."""

import pytest
import torch
from testing.new_datasets import TINY, facts, only

from fcn_plugin.apis.new_dataset import trunks
from fcn_plugin.apis.new_dataset.choices import Wishes, choose


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Nothing is asked of a server."""
    monkeypatch.setattr(trunks, "published_file", lambda name: None)
    monkeypatch.setattr(trunks, "_paper_file", lambda: None)


def chosen(wishes=None, **changes):
    return choose(facts(**changes), wishes or Wishes(TINY))


def why(choices, setting):
    return only(reason for name, _, reason in choices.reasons if name == setting)


@pytest.mark.parametrize(
    "changes, crop, batch_size, scales",
    [
        (dict(sizes=[(48, 64)] * 9), (64, 64), 16, (0.75, 1.0, 1.25)),
        (dict(sizes=[(584, 565)] * 9), (512, 512), 4, (0.75, 1.0, 1.25)),
        (dict(sizes=[(360, 480)] * 9), (384, 480), 4, (0.75, 1.0, 1.25)),
        (dict(sizes=[(3000, 4000), (200, 300), (200, 90)]), (224, 320), 8, (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)),
    ],
)
def test_crops_follow_the_sizes(changes, crop, batch_size, scales):
    choices = chosen(**changes)
    assert (choices.crop, choices.batch_size, choices.scales) == (crop, batch_size, scales)


def test_a_fast_training():
    choices = chosen(Wishes(TINY, fast=True), splits=dict(train=16, val=4))
    assert (choices.crop, choices.batch_size) == ((320, 320), 8)
    length = choices.length
    assert (length.iterations, length.interval, length.patience, length.val_pictures) == (600, 200, 2, 4)
    many = chosen(Wishes(TINY, fast=True), splits=dict(train=5000, val=90_000))
    assert many.length.iterations == 600 and 1 <= many.length.val_pictures < 5000
    assert f"on the first {many.length.val_pictures} pictures of val" in why(many, "validation")


@pytest.mark.parametrize(
    "train, val, iterations, validations, read",
    [(16, 4, 1200, 10, 4), (2000, 200, 12600, 10, 200), (50_000, 9000, 20000, 5, 7626)],
)
def test_iterations_follow_the_pixels(train, val, iterations, validations, read):
    length = chosen(splits=dict(train=train, val=val), sizes=[(584, 565)] * 20).length
    assert length.iterations == iterations == validations * length.interval and length.patience == -(-validations // 2)
    assert length.val_pictures == read


def test_a_slow_network_has_fewer_pictures_and_iterations():
    fast, slow = (chosen(Wishes(name, fast=True)) for name in (TINY, "vgg16"))
    assert slow.batch_size == 1 < fast.batch_size and slow.length.iterations < fast.length.iterations
    assert (slow.lr, slow.lr_factor) == (5e-5, ("backbone", 0.2)) and (fast.lr, fast.lr_factor) == (
        3e-3,
        ("decode_head", 3),
    )
    assert "random" in str(slow.reasons) and "hardly learns" in why(slow, "weights")


EXACT = dict(mode="tiles", tile=1024)


@pytest.mark.parametrize(
    "backbone, largest, test_cfg",
    [
        (TINY, (584, 565), None),
        (TINY, (30000, 40000), EXACT | dict(overlap=256)),  # it has global pools
        ("vgg16", (30000, 40000), EXACT),
    ],
)
def test_large_pictures_are_tested_in_tiles(backbone, largest, test_cfg):
    assert chosen(Wishes(backbone), largest=largest).test_cfg == test_cfg


def test_weights_of_uneven_classes():
    assert chosen(class_pixels=(4000, 100)).class_weight is None
    four = dict(classes=("a", "b", "c", "d"), palette=[(i, i, i) for i in range(4)], class_pixels=(900, 99, 1, 0))
    choices = chosen(**four)
    assert choices.class_weight == [1.53, 8.89, 48.12, 50.5] and choices.foreground is None
    assert "(900 times)" in why(choices, "class weights")
    one_score = chosen(Wishes(TINY, sigmoid=True), class_pixels=(990, 10))
    assert one_score.class_weight == [23.62] and one_score.foreground == 1 and one_score.sigmoid


@pytest.mark.parametrize(
    "ceilings, strides",
    [
        ({}, (8, 16, 32)),
        ({8: 0.95, 4: 0.98, 2: 0.99}, (8, 16, 32)),
        ({8: 0.8, 4: 0.92, 2: 0.99}, (4, 8, 16, 32)),
        ({8: 0.65, 4: 0.76, 2: 0.85}, (2, 4, 8, 16, 32)),
    ],
)
def test_thin_things_need_fine_maps(ceilings, strides):
    choices = chosen(ceilings=ceilings)
    assert choices.trunk.strides == strides
    assert ("thin things" in why(choices, "network")) == (strides[0] < 8)


@pytest.mark.parametrize("bands, bits", [(1, 8), (4, 8), (3, 16), (12, 16)])
def test_other_pictures_have_their_own_statistics(bands, bits, tmp_path):
    values = [100.12345] * bands
    choices = chosen(bands=bands, bits=bits, mean=values, std=[0.0] * bands)
    assert choices.mean == [100.123] * bands and choices.std == [1.0] * bands
    assert choices.bgr_to_rgb == (bands == 3)


def test_weights_of_a_file(tmp_path):
    import timm

    file = tmp_path / "weights.pth"
    network = timm.create_model(TINY)
    torch.save(network.state_dict(), file)
    choices = chosen(Wishes(TINY, file), bands=4, mean=[9] * 4, std=[9] * 4)
    assert "repeated and scaled by 3/4" in why(choices, "weights") and choices.mean == [9] * 4 and choices.lr == 5e-4
    choices = chosen(Wishes(TINY, file))
    assert choices.mean == pytest.approx([123.675, 116.28, 103.53]) and choices.start.parts == ("backbone",)


@pytest.mark.parametrize(
    "wishes, changes, message",
    [
        (dict(backbone="resnet118"), {}, "there is no network resnet118 in timm .*did you mean"),
        (dict(backbone="vit_tiny_patch16_224"), {}, "vit_tiny_patch16_224 has no maps of different strides"),
        (dict(sigmoid=True), dict(classes=("a", "b", "c")), "--sigmoid is for two classes, and there are 3"),
        (dict(weights="other.pth"), {}, f"other.pth does not hold the weights of {TINY}"),
        (dict(backbone="vgg16", weights="other.pth"), {}, "other.pth holds"),
        (dict(weights="nowhere.pth"), {}, "there is no checkpoint nowhere.pth"),
    ],
)
def test_wrong_wishes(wishes, changes, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(weight=torch.zeros(2)), "other.pth")
    wishes = Wishes(**{"backbone": TINY, **wishes})
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        choose(facts(**changes), wishes)
    if not changes:
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            wishes.check()
