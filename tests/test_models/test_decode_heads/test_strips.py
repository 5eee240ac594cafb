"""The losses in strips of rows equal those of whole logits, and so do their gradients."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

import fcn_plugin  # noqa: F401
from fcn_plugin.models.decode_heads import strips
from fcn_plugin.paper.peak_memory import PeakMemory

CLASSES, SIZE = 5, (61, 75)
VGG = dict(
    backbone=dict(type="FCNVGG", width=0.05),
    neck=dict(type="FCConvNeck", in_channels=26, channels=6),
    decode_head=dict(type="FCN8sHead"),
)
RESNET = dict(
    backbone=dict(type="ResNetV1c", depth=18, stem_channels=8, base_channels=8, out_indices=(0, 1, 2, 3)),
    decode_head=dict(type="FCNSkipHead"),
)


def build(model: dict, **head) -> nn.Module:
    init_default_scope("mmseg")
    torch.manual_seed(0)
    decode_head = dict(model["decode_head"], **{"num_classes": CLASSES, **head})
    model = MODELS.build(dict(model, type="AlignedEncoderDecoder", decode_head=decode_head))
    for name in model.decode_head.score_names:  # their weights start at zero
        nn.init.normal_(getattr(model.decode_head, name).weight, std=0.3)
    return model.eval()  # without dropout


def batch(size: tuple[int, int] = SIZE, number: int = 2) -> tuple[Tensor, list[SegDataSample]]:
    random = torch.Generator().manual_seed(1)
    labels = torch.randint(0, CLASSES, (number, 1, *size), generator=random)
    labels[:, :, 20:33] = 255  # more rows than a strip has
    samples = [SegDataSample(gt_sem_seg=PixelData(data=one)) for one in labels]
    return torch.randn(number, 3, *size, generator=random), samples


def results(model: nn.Module, whether: bool | None, size: tuple[int, int] = SIZE) -> tuple[dict, list[Tensor]]:
    model.decode_head.strips = whether
    inputs, samples = batch(size)
    torch.manual_seed(2)  # of the samplers
    model.zero_grad()
    losses = model.loss(inputs, samples)
    sum(value for name, value in losses.items() if "loss" in name).backward()
    return losses, [one.grad.clone() for one in model.parameters() if one.grad is not None]


def assert_equal(model: nn.Module, size: tuple[int, int] = SIZE) -> None:
    (whole, gradients), (parts, others) = (results(model, whether, size) for whether in (False, True))
    assert parts.keys() == whole.keys() and len(gradients) == len(others) > 5
    for name, value in whole.items():
        assert parts[name].item() == pytest.approx(value.item(), rel=1e-5), name
    for one, other in zip(gradients, others):
        assert (one - other).abs().max() <= 1e-6 * max(1, one.abs().max())


@pytest.fixture(autouse=True)
def strips_of_a_few_rows(monkeypatch) -> None:
    monkeypatch.setattr(strips, "STRIP", 4 * 2 * CLASSES * SIZE[1] * 7)  # 7 rows: the last strip has 5


@pytest.mark.parametrize(
    "head",
    [
        {},
        dict(learnable_upsampling=True, learnable_last_upsampling=True),
        dict(loss_decode=dict(type="PixelCrossEntropyLoss", reduction="sum", class_weight=[1, 2, 0.5, 4, 1])),
        dict(
            loss_decode=[
                dict(type="PixelCrossEntropyLoss", loss_weight=0.3),
                dict(type="PixelCrossEntropyLoss", class_weight=[1, 2, 0.5, 4, 1]),
                dict(type="PixelCrossEntropyLoss", loss_name="loss_other"),
            ]
        ),
        dict(sampler=dict(type="PatchPixelSampler", keep_prob=0.5, cell=4)),
        dict(sampler=dict(type="ClassPixelSampler", keep_prob=[0.5, 1, 0.1, 1, 1])),
    ],
)
def test_the_reference_network(head):
    assert_equal(build(VGG, **head))


@pytest.mark.parametrize("border", ["replicate", "zeros"])
@pytest.mark.parametrize("size", [SIZE, (3, 5), (64, 64)])
def test_a_skip_of_stride_4(border, size):
    assert_equal(build(dict(RESNET, size_divisor=32), border=border), size)


@pytest.mark.parametrize("out_indices", [(4,), (3, 4), (0, 1, 2, 3, 4)])
def test_other_strides(out_indices):
    model = dict(
        backbone=dict(type="FCNVGG", width=0.05, out_indices=out_indices, padding=1),
        decode_head=dict(type="FCNSkipHead"),
        size_divisor=32,
    )
    assert_equal(build(model))


def peak_of(model: nn.Module, whether: bool) -> int:
    features = model.extract_feat(batch((512, 512))[0])
    samples = batch((512, 512))[1]
    model.decode_head.strips = whether
    with PeakMemory() as memory:
        model.decode_head.loss(features, samples, {})["loss_ce"].backward()
    return memory.peak


def test_the_logits_never_exist_at_once(monkeypatch):
    monkeypatch.setattr(strips, "STRIP", 2**19)
    model = build(VGG, num_classes=40)
    logits = 2 * 40 * 512 * 512 * 4
    assert peak_of(model, False) > 2 * logits  # they and their gradient
    assert peak_of(model, True) < 0.5 * logits


def test_large_logits_alone_are_cut_by_default(monkeypatch):
    model = build(VGG)
    monkeypatch.setattr(strips, "LARGE", 4 * 2 * CLASSES * SIZE[0] * SIZE[1])
    results(model, None, (SIZE[0] - 1, SIZE[1]))
    assert not model.decode_head._strips_are_told
    results(model, None)
    assert model.decode_head._strips_are_told


@pytest.mark.parametrize(
    "head",
    [
        dict(loss_decode=dict(type="DiceLoss")),
        dict(loss_decode=[dict(type="PixelCrossEntropyLoss"), dict(type="DiceLoss", loss_name="loss_dice")]),
        dict(sampler=dict(type="OHEMPixelSampler", thresh=0.7, min_kept=100)),
    ],
)
def test_what_needs_all_logits_has_them(head):
    model = build(VGG, **head)
    whole, parts = (results(model, whether)[0] for whether in (False, True))
    assert not model.decode_head._strips_are_told
    assert {name: value.item() for name, value in whole.items()} == {
        name: value.item() for name, value in parts.items()
    }


def test_a_wrong_label_is_named_in_strips():
    model = build(VGG, strips=True)
    inputs, samples = batch()
    samples[1].gt_sem_seg.data[0, 50, 3] = CLASSES
    with pytest.raises(ValueError, match="a label of 5 for 5 classes"):
        model.loss(inputs, samples)
