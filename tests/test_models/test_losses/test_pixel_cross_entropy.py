"""The loss against torch's own, alone and in a head."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from fcn_plugin.models.losses import PixelCrossEntropyLoss
from fcn_plugin.structures.image_features import ImageFeatures

CLASSES, IGNORED = 5, 255
CLASS_WEIGHT = [0.5, 1.0, 2.0, 4.0, 0.25]


@pytest.fixture
def scores() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(2, CLASSES, 6, 7, requires_grad=True)


@pytest.fixture
def labels() -> torch.Tensor:
    """Labels of two images: the first has 14 ignored pixels, the second 1."""
    labels = torch.randint(0, CLASSES, (2, 6, 7), generator=torch.Generator().manual_seed(1))
    labels[0, :2] = IGNORED
    labels[1, 0, 0] = IGNORED
    return labels


@pytest.mark.parametrize("ignored", [IGNORED, -1])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("class_weight", [None, CLASS_WEIGHT])
def test_as_torch(reduction, class_weight, ignored, scores, labels):
    labels = labels.masked_fill(labels == IGNORED, ignored)
    loss = PixelCrossEntropyLoss(reduction, class_weight, loss_weight=0.5)(scores, labels, ignore_index=ignored)
    weight = None if class_weight is None else torch.tensor(class_weight)
    expected = 0.5 * F.cross_entropy(scores, labels, weight, ignore_index=ignored, reduction=reduction)
    torch.testing.assert_close(loss, expected)
    gradient, expected_gradient = (torch.autograd.grad(value, scores)[0] for value in (loss, expected))
    torch.testing.assert_close(gradient, expected_gradient)
    assert gradient[0, :, :2].abs().max() == 0


@pytest.mark.parametrize("class_weight", [None, CLASS_WEIGHT])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_all_ignored(reduction, class_weight, scores):
    loss = PixelCrossEntropyLoss(reduction, class_weight)(scores, torch.full((2, 6, 7), IGNORED))
    loss.backward()
    assert loss == 0
    assert torch.equal(scores.grad, torch.zeros_like(scores))


def test_pixel_weights_and_reduction_override(scores, labels):
    """A pixel of weight 0 counts as an ignored one, one of weight 3 as three."""
    weight = torch.ones(2, 6, 7)
    weight[0, 3], weight[1, 3] = 0, 3
    pixels = F.cross_entropy(scores, labels, ignore_index=IGNORED, reduction="none")
    total = (pixels * weight).sum()
    loss = PixelCrossEntropyLoss("sum")
    torch.testing.assert_close(loss(scores, labels, weight), total)
    mean = total / weight[labels != IGNORED].sum()
    torch.testing.assert_close(PixelCrossEntropyLoss()(scores, labels, weight), mean)
    torch.testing.assert_close(loss(scores, labels, reduction_override="none"), pixels)
    torch.testing.assert_close(loss(scores, labels, reduction_override="mean"), pixels.sum() / (84 - 15))
    torch.testing.assert_close(loss(scores, labels, reduction_override="mean", avg_factor=10.0), pixels.sum() / 10)


@pytest.mark.parametrize("wrong", [CLASSES, 254])
def test_label_out_of_range(wrong, scores, labels):
    labels[0, 4, 4] = wrong
    with pytest.raises(ValueError, match=f"a label of {wrong} for {CLASSES} classes"):
        PixelCrossEntropyLoss()(scores, labels)


@pytest.mark.parametrize("reduction", ["none", None])
def test_wrong_reduction(reduction):
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'sum'"):
        PixelCrossEntropyLoss(reduction)


def test_in_a_head_with_a_sampler_and_another_loss(scores, labels):
    """The head hands features' scores, labels and the weights of a sampler, here of hard pixels, to its losses."""
    own, other = dict(type="PixelCrossEntropyLoss"), dict(type="CrossEntropyLoss", loss_name="loss_other")
    sampler = dict(type="OHEMPixelSampler", thresh=0.2, min_kept=2)
    settings = dict(in_channels=[4], geometry=[dict(stride=2, offset=0.5)], num_classes=CLASSES)
    head = MODELS.build(dict(type="FCN32sHead", loss_decode=[own, other], **settings))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]
    features = ImageFeatures([torch.ones(2, 4, 3, 4)], (6, 7), head.feature_maps)
    losses = head.loss(features, samples, train_cfg={})
    # the paper's start from zero scores: log C at every labelled pixel
    assert losses["loss_ce"].item() == pytest.approx(1.609438) and losses["loss_other"] > 0
    losses = MODELS.build(dict(type="FCN32sHead", sampler=sampler, **settings)).loss_by_feat(scores, samples)
    true = labels.masked_fill(labels == IGNORED, 0)[:, None]
    hard = (scores.softmax(1).gather(1, true)[:, 0] < 0.2) & (labels != IGNORED)
    assert 0 < hard.sum() < 69
    pixels = F.cross_entropy(scores, labels, ignore_index=IGNORED, reduction="none")
    torch.testing.assert_close(losses["loss_ce"], pixels[hard].mean())
