"""Tiles give the logits of the whole picture, on any network that sees a part of it; others are blended."""

import logging
from dataclasses import replace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from testing.narrow_backbones import BACKBONES
from torch import nn

import fcn_plugin.models.segmentors.tiled_inference as tiled_inference
from fcn_plugin.engine.tta import augmented_model
from fcn_plugin.geometry.locality import NotLocalError, measure_locality
from fcn_plugin.models.segmentors.tiled_inference import tiles_of
from fcn_plugin.utils.peak_memory import PeakMemory

LITE = dict(type="TIMMBackbone", model_name="tf_efficientnet_lite0", pretrained=False, out_indices=(2, 3, 4))
FPN = dict(type="FPN", in_channels=[4, 8, 16, 32], out_channels=4, num_outs=4)
LAST = (1, 2, 3)


def vgg(padding, head="FCN8sHead", **neck):
    neck = dict(type="FCConvNeck", in_channels=26, channels=8, **neck)
    return dict(backbone=dict(type="FCNVGG", width=0.05, padding=padding), neck=neck, decode_head=dict(type=head))


def on(name, head="FCN8sHead", in_index=None, norm_cfg=None, out_indices=None, **model):
    backbone = dict(BACKBONES[name])
    backbone.update({key: value for key, value in dict(norm_cfg=norm_cfg, out_indices=out_indices).items() if value})
    return dict(backbone=backbone, decode_head=dict(type=head, **({"in_index": in_index} if in_index else {})), **model)


#: Networks, and how far their outputs see in multiples of the stride.
NETWORKS = {
    "padding-100": (vgg(100), 224),
    "padding-100-32s": (vgg(100, "FCN32sHead"), 224),
    "padding-1": (vgg(1, fc6_padding="same"), 224),
    "batch-norm": (on("fcnvgg-bn"), 128),
    "resnet": (on("resnet18-v1c", out_indices=LAST), 224),
    "zeros-at-the-border": (on("resnet18-v1c", out_indices=LAST), 224),
    "mobilenet": (on("mobilenet-v2"), 256),
    "convnext": (on("convnext", size_divisor=32), 224),
    "efficientnet-lite": (dict(backbone=LITE, decode_head=dict(type="FCN8sHead"), size_divisor=32), 448),
    "fpn": (on("resnet18-v1c", neck=FPN, out_indices=(0, 1, 2, 3)), 256),
    "hrnet": (on("hrnet", "FCNSkipHead", [0, 1, 2, 3], size_divisor=32), 192),
    "hrnet-padded-more": (on("hrnet", "FCNSkipHead", [0, 1, 2, 3], size_divisor=64), 192),
    "unet": (on("unet", "FCNSkipHead", [3, 2, 1, 0], size_divisor=16), 112),
}
NETWORKS["zeros-at-the-border"][0]["decode_head"]["border"] = "zeros"
FCN_HEAD = dict(type="FCNHead", in_channels=32, in_index=3, channels=4)
SEES_ALL = on("resnet18-v1c", out_indices=LAST, norm_cfg=dict(type="GN", num_groups=2))


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("mmseg")


def build(network, num_classes=3, **test_cfg):
    """A network of random weights, also of its scores, and of random statistics."""
    torch.manual_seed(0)
    head = dict(network["decode_head"], num_classes=num_classes)
    test_cfg = test_cfg or dict(tile=64)
    model = MODELS.build(
        {"type": "AlignedEncoderDecoder", **network, "decode_head": head, "test_cfg": dict(mode="tiles", **test_cfg)}
    ).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    for name, parameter in model.decode_head.named_parameters():
        if name.startswith(("score", "conv_seg")):
            nn.init.normal_(parameter, 0, 0.05)
    return model.requires_grad_(False)


def metas(images):
    return [dict.fromkeys(("ori_shape", "img_shape", "pad_shape"), images.shape[2:]) for _ in images]


def inferred(model, images, mode="tiles"):
    """Logits by a mode of the model."""
    model.test_cfg.mode = mode
    logits = model.inference(images, metas(images))
    model.test_cfg.mode = "tiles"
    return logits


def difference(one, whole):
    """The largest, by the range of the logits."""
    return float((one - whole).abs().max() / (whole.max() - whole.min()))


@pytest.mark.parametrize("network, margin", NETWORKS.values(), ids=NETWORKS)
def test_logits_are_those_of_the_whole(network, margin):
    model = build(network, tile=64)
    assert model.tiling.locality.whole_cells is False and margin <= model.tiling.locality.margin < margin + 64
    long = 64 + 2 * model.tiling.locality.margin + 45
    images = torch.randn(1, 3, *((long, 37) if margin % 64 else (37, long)))
    assert len(list(tiles_of(model, images))) == 2
    assert difference(inferred(model, images), inferred(model, images, "whole")) < 1e-6


@pytest.mark.parametrize("network", [vgg(100), on("hrnet", "FCNSkipHead", [0, 1, 2, 3], size_divisor=32)])
def test_a_smaller_margin_gives_other_logits(network):
    model = build(network)
    images = torch.randn(1, 3, 750, 37)
    whole = inferred(model, images, "whole")
    assert difference(inferred(model, images), whole) < 1e-6
    locality = model.tiling.locality
    model.tiling.locality = replace(locality, margin=locality.margin - locality.stride)
    assert difference(inferred(model, images), whole) > 1e-5


def test_both_axes_and_batches():
    model = build(on("fcnvgg-bn"), tile=32, batch=4)
    images, calls = torch.randn(2, 3, 400, 359), []
    model.backbone.register_forward_pre_hook(lambda _, inputs: calls.append((len(inputs[0]), *inputs[0].shape[2:])))
    whole = inferred(model, images, "whole")
    del calls[:]
    assert difference(inferred(model, images), whole) < 1e-6
    # up to 4 windows of 2 pictures; those at the ends of columns, of rows, and of both are smaller
    assert calls == [(8, 288, 288)] * 3 + [(8, 288, 263), (6, 272, 288), (2, 272, 263)]
    predicted = model(images, [SegDataSample(metainfo=meta) for meta in metas(images)], mode="predict")
    for sample, logits in zip(predicted, whole):
        assert "seg_logits" not in sample
        assert torch.equal(sample.pred_sem_seg.data, logits.argmax(0, keepdim=True))
        assert sample.pred_sem_seg.data.unique().numel() > 1


@pytest.mark.parametrize("network", [vgg(100), on("resnet18-v1c", out_indices=LAST)])
def test_labels_in_bfloat16(network):
    model = build(network)
    images = torch.randn(1, 3, 600, 37)
    with torch.autocast("cpu", torch.bfloat16):
        whole, tiled = inferred(model, images, "whole"), inferred(model, images)
    first, second = whole.topk(2, dim=1).values.unbind(1)
    clear = first - second > 1e-2 * (whole.max() - whole.min())
    assert clear.double().mean() > 0.5 and torch.equal(whole.argmax(1)[clear], tiled.argmax(1)[clear])


def test_windows_are_read_one_after_another():
    """So pictures can be files; nothing but windows of bounded size is asked for."""

    class Pictures:
        shape = (1, 3, 500, 390)
        read = []

        def __getitem__(self, place):
            self.read.append(tuple(side.stop - side.start for side in place[2:]))
            return torch.zeros(1, 3, *self.read[-1])

    model = build(on("fcnvgg-bn"), tile=64)
    for number, (block, logits) in enumerate(tiles_of(model, Pictures()), start=1):
        assert len(Pictures.read) == number
        assert logits.shape == (1, 3, *(side.stop - side.start for side in block))
    assert max(Pictures.read) == (320, 320) and number == 4 * 3


def predict(model, images, **meta):
    return model(images, [SegDataSample(metainfo={**one, **meta}) for one in metas(images)], mode="predict")


def test_predictions_with_logits():
    """Where somebody needs them: by a setting, for test-time augmentation, and to be resized."""
    model = build(on("fcnvgg-bn"))
    images = torch.randn(1, 3, 30, 40)
    whole = inferred(model, images, "whole")[0]
    (padded,) = predict(model, images, ori_shape=(28, 39), padding_size=[0, 1, 0, 2])
    assert torch.equal(padded.pred_sem_seg.data[0], whole[:, :28, :39].argmax(0)) and "seg_logits" not in padded
    (flipped,) = predict(model, images, flip=True, flip_direction="horizontal")
    assert torch.equal(flipped.seg_logits.data, whole.flip(2))
    (resized,) = predict(model, images, ori_shape=(60, 80))
    assert resized.pred_sem_seg.data.shape == (1, 60, 80) and resized.seg_logits.data.shape == (3, 60, 80)
    assert torch.equal(model.predict(images)[0].seg_logits.data, whole)
    cfg = Config(dict(model=dict(decode_head=dict()), tta_model=dict(type="MeanTTAModel"), tta_pipeline=[dict()]))
    augmented_model(cfg, model)
    assert torch.equal(predict(model, images)[0].seg_logits.data, whole)


def test_single_score():
    network = on("fcnvgg-bn")
    network["decode_head"].update(out_channels=1, loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=True))
    model = build(network, num_classes=2)
    images = torch.randn(1, 3, 30, 40)
    probability = inferred(model, images, "whole")[0].sigmoid()
    model.decode_head.threshold = float(probability.median())
    labels = predict(model, images)[0].pred_sem_seg.data
    expected = probability > model.decode_head.threshold
    assert torch.equal(labels, expected.float()) and 0 < labels.mean() < 1


def test_maps_that_are_stretched_over_the_picture():
    model = build(dict(backbone=BACKBONES["resnet18-v1c"], decode_head=FCN_HEAD), tile=32)
    assert model.tiling.locality.whole_cells
    images = torch.randn(1, 3, 800, 32)
    assert difference(inferred(model, images), inferred(model, images, "whole")) < 1e-6
    with pytest.raises(ValueError, match=r"\(799, 32\) pixels would not be exact: set model.size_divisor=32, or"):
        inferred(model, images[:, :, :799])
    small = images[:, :, :333]
    assert torch.equal(inferred(model, small), inferred(model, small, "whole"))


@pytest.mark.parametrize(
    "network, says",
    [
        (
            SEES_ALL,
            r"GroupNorm \(backbone.stem.1, .* and 18 more\), which see all of a map. Set model.test_cfg.overlap",
        ),
        (on("swin"), "cannot give what SwinTransformer gives .* by WindowMSA"),
        (
            dict(backbone=BACKBONES["resnet18-v1c"], decode_head=dict(FCN_HEAD, type="ASPPHead")),
            r"by AdaptiveAvgPool2d \(decode_head.image_pool.0\)",
        ),
    ],
)
def test_networks_that_see_all_of_a_picture(network, says):
    with pytest.raises(ValueError, match=says):
        build(network)


def test_blended_tiles():
    model = build(SEES_ALL, tile=64, overlap=32, batch=2)
    images = torch.randn(2, 3, 150, 139)
    blended = inferred(model, images)
    windows = [slice(0, 64), slice(32, 96), slice(64, 128), slice(96, 139)]
    cut = [[inferred(model, images[:, :, rows, columns], "whole") for columns in windows[:2]] for rows in windows[:2]]
    assert torch.allclose(blended[:, :, :32, :32], cut[0][0][:, :, :32, :32], atol=1e-6)
    share = (torch.arange(32) + 0.5) / 32  # of the second window
    rows = [one[0][:, :, a : a + 32, :32] for one, a in zip(cut, (32, 0))]
    mixed = rows[0] * (1 - share[:, None]) + rows[1] * share[:, None]
    assert torch.allclose(blended[:, :, 32:64, :32], mixed, atol=1e-6)
    columns = [one[:, :, :32, a : a + 32] for one, a in zip(cut[0], (32, 0))]
    assert torch.allclose(blended[:, :, :32, 32:64], columns[0] * (1 - share) + columns[1] * share, atol=1e-6)
    assert blended.shape == (2, 3, 150, 139) and blended.isfinite().all()
    blocks = [block for block, _ in tiles_of(model, images)]
    assert [(rows.start, rows.stop) for rows, _ in blocks] == [(0, 32), (32, 64), (64, 96), (96, 150)]


@pytest.fixture
def said(monkeypatch):
    """What is printed, with its level."""
    found = []
    monkeypatch.setattr(tiled_inference, "print_log", lambda text, _, level: found.append((level, text)))
    return found


def test_the_cost_is_told_once(said):
    model = build(on("fcnvgg-bn"), tile=256)
    inferred(model, torch.zeros(1, 3, 512, 20))
    assert said == []  # the whole is one window
    for _ in range(2):
        inferred(model, torch.zeros(1, 3, 513, 20))
    assert said == [(logging.INFO, "Tiles of 256 with margins of 128: 4.0 times the pixels")]
    inferred(build(on("fcnvgg-bn"), tile=64), torch.zeros(1, 3, 400, 20))
    assert said[1][0] == logging.WARNING and "25.0 times the pixels. From model.test_cfg.tile=256 on" in said[1][1]
    inferred(build(SEES_ALL, tile=64, overlap=32), torch.zeros(1, 3, 100, 30))
    assert said[2] == (logging.INFO, "Tiles of 64 that overlap by 32: 4.0 times the pixels, not exact")


def test_largest_tile_for_the_memory(monkeypatch):
    model = build(on("fcnvgg-bn"), tile="auto")
    images = torch.randn(1, 3, 37, 900)

    def side(free):
        monkeypatch.setattr(tiled_inference, "free_memory", lambda device: free)
        return model.tiling.side(model, images)

    assert side(0) == 32 and side(2**50) == 928
    assert difference(inferred(model, images), inferred(model, images, "whole")) < 1e-6
    few = side(30 * 2**20)
    assert 32 < few < 928
    with PeakMemory() as memory:
        model.encode_decode(torch.zeros(1, 3, few + 256, few + 256), metas(torch.zeros(1, 3, few + 256, few + 256)))
    assert memory.peak < 15 * 2**20  # half of what is free
    model.test_cfg.batch = 2
    assert side(30 * 2**20) < few
    model.test_cfg.batch = 1
    assert side(0) == 32 and len(list(tiles_of(model, images))) == 21
    assert difference(inferred(model, images), inferred(model, images, "whole")) < 1e-6


def test_networks_that_cannot_be_measured():
    model = build(on("fcnvgg-bn"))

    def fails(network, images):
        raise RuntimeError("of one size alone")

    with pytest.raises(NotLocalError, match=r"cannot be measured \(of one size alone\)"):
        measure_locality(model, fails, 32)


WRONG = [
    (dict(tiel=64), "model.test_cfg.tiel is no setting of mode 'tiles', .* did you mean 'tile'?"),
    (dict(tile=1000), "must be a multiple of the network's stride 32, got 1000: set it to 992 or 1024"),
    (dict(tile=20), "got 20: set it to 32"),
    (dict(tile="large"), "tile must be a number of pixels or 'auto', got 'large'"),
    (dict(tile=(64, 64)), r"tile must be a number of pixels or 'auto', got \(64, 64\)"),
    (dict(tile=64, overlap=0), "overlap must be a number of pixels; leave it out for exact tiles, got 0"),
    (dict(tile=64, overlap=20), "overlap must be a multiple of the network's stride 32, got 20"),
    (dict(tile=64, overlap=64), "overlap=64 must be smaller than the tile of 64"),
    (dict(tile=64, batch=0), "batch must be an integer of 1 or more, got 0"),
    (dict(tile=64, logits="yes"), "logits must be True or False, got 'yes'"),
    (dict(mode="tile"), "test_cfg.mode must be 'whole', 'slide' or 'tiles', got 'tile'"),
]


@pytest.mark.parametrize("settings, says", WRONG)
def test_wrong_settings(settings, says):
    network = on("fcnvgg-bn")
    head = dict(network["decode_head"], num_classes=3)
    with pytest.raises(ValueError, match=says):
        MODELS.build(
            {"type": "AlignedEncoderDecoder", **network, "decode_head": head, "test_cfg": {"mode": "tiles", **settings}}
        )


def test_default_tile_and_settings_of_other_modes():
    assert build(on("fcnvgg-bn"), crop_size=(64, 64), stride=(32, 32)).tiling.settings.tile == 1024


@pytest.mark.parametrize("settings", [dict(tile=32, batch=2), dict(tile=96, overlap=64)])
def test_some_blocks_alone(settings):
    """Wanted alone, a block has the very same logits: a prediction that was interrupted goes on so."""
    model = build(vgg(1, fc6_padding="same"), **settings)
    image = torch.randn(1, 3, 620, 560)
    blocks = list(tiles_of(model, image))
    assert len(blocks) > 3
    for left in (range(1, len(blocks)), range(2, 4), range(len(blocks) - 1, len(blocks))):
        missing = [blocks[number] for number in left]
        found = list(tiles_of(model, image, wanted=[place for place, _ in missing].__contains__))
        assert [place for place, _ in found] == [place for place, _ in missing]
        assert all(torch.equal(logits, whole) for (_, logits), (_, whole) in zip(found, missing))
