"""Class balancing by sampling: the frequencies, and what it equals."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from fcn_plugin.models.losses import PixelCrossEntropyLoss

CLASSES, IGNORED = 4, 255
KEEP_PROB = [0.1, 1.0, 0.5, 0.25]


def head(**settings):
    geometry = [dict(stride=2, offset=0.5)]
    return MODELS.build(dict(type="FCN32sHead", in_channels=[4], geometry=geometry, num_classes=CLASSES, **settings))


def sampler(keep_prob=KEEP_PROB, **settings):
    return head(sampler=dict(type="ClassPixelSampler", keep_prob=keep_prob), **settings).sampler


@pytest.fixture
def scores() -> torch.Tensor:
    """Logits that favour the first class: (2, C, H, W)."""
    favour = torch.tensor([2.0, 0, 0, 0])[:, None, None]
    return torch.randn(2, CLASSES, 60, 70, generator=torch.Generator().manual_seed(0)) + favour


@pytest.fixture
def labels() -> torch.Tensor:
    """Mostly the first class, some pixels ignored: (2, 1, H, W)."""
    generator = torch.Generator().manual_seed(1)
    labels = (torch.rand(2, 1, 60, 70, generator=generator) ** 3 * CLASSES).long()
    labels[0, :, :9] = IGNORED
    return labels


@pytest.mark.parametrize("ignored", [IGNORED, -1])
def test_frequencies(ignored, scores, labels):
    torch.manual_seed(0)
    labels, balance = labels.masked_fill(labels == IGNORED, ignored), sampler(ignore_index=ignored)
    weights = torch.stack([balance.sample(scores, labels) for _ in range(30)])
    assert weights.unique().tolist() == [0, 1]  # nothing is scaled up
    for label, keep_prob in enumerate(KEEP_PROB):
        kept = weights[:, labels[:, 0] == label]
        assert kept.shape[1] > 500
        assert kept.mean().item() == pytest.approx(keep_prob, abs=0.02)
    assert weights[:, labels[:, 0] == ignored].max() == 0


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_expected_loss_is_the_weighted_one(reduction, scores, labels):
    drawn, balance = PixelCrossEntropyLoss(reduction), sampler()
    torch.manual_seed(0)
    losses = [drawn(scores, labels[:, 0], balance.sample(scores, labels)) for _ in range(400)]
    weighted = PixelCrossEntropyLoss(reduction, class_weight=KEEP_PROB)(scores, labels[:, 0])
    assert torch.stack(losses).mean().item() == pytest.approx(weighted.item(), rel=0.01)
    assert weighted.item() != pytest.approx(drawn(scores, labels[:, 0]).item(), rel=0.02)


@pytest.mark.parametrize("wrong", [CLASSES, 254, -1])
def test_labels_out_of_range_reach_the_loss(wrong, scores, labels):
    """The loss reports them, with the number of classes, or fails as it does without a sampler."""
    labels[0, 0, 20, 20] = wrong
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels]
    with pytest.raises((ValueError, IndexError), match=f"a label of {wrong} for {CLASSES} classes|Target {wrong}"):
        head(sampler=dict(type="ClassPixelSampler", keep_prob=KEEP_PROB)).loss_by_feat(scores, samples)


@pytest.mark.parametrize("keep_prob", [[0.5] * 3, [], 0.5, None])
def test_wrong_number_of_probabilities(keep_prob):
    with pytest.raises(ValueError, match="keep_prob must list a probability for each of 4 classes, got "):
        sampler(keep_prob)


@pytest.mark.parametrize("wrong", [0, -0.1, 1.5, "1", None])
def test_probability_out_of_range(wrong):
    with pytest.raises(ValueError, match="keep_prob of class 2 must be a number above 0 and at most 1, got "):
        sampler([1.0, 0.5, wrong, 0.5])
