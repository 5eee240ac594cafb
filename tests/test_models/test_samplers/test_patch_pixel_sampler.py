"""Sampling of the loss: what is kept, and that its expected value is the loss of the whole image."""

import pytest
import torch
from mmseg.registry import TASK_UTILS

from fcn_plugin.models.losses import PixelCrossEntropyLoss
from fcn_plugin.models.samplers import PatchPixelSampler

CLASSES, IGNORED = 5, 255


def scene(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (2, C, H, W) whose loss rises from left to right, and labels (2, 1, H, W), some of them ignored."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, CLASSES, height, width, generator=generator) * torch.linspace(0.5, 4, width)
    labels = torch.randint(0, CLASSES, (2, 1, height, width), generator=generator)
    labels[0, :, : height // 3] = labels[:, :, :, : width // 7] = IGNORED
    return logits, labels


def draw(sampler: PatchPixelSampler, logits: torch.Tensor, labels: torch.Tensor, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return sampler.sample(logits, labels)


@pytest.mark.parametrize("keep_prob, cell", [(0.5, 1), (0.25, 1), (0.5, 8), (0.25, 13)])
def test_expected_loss_is_that_of_the_whole_image(keep_prob, cell):
    logits, labels = scene(90, 131)  # multiples of neither cell
    assert all(side % cell or cell == 1 for side in labels.shape[2:])
    sampler, label = PatchPixelSampler(keep_prob, cell), labels[:, 0]
    torch.manual_seed(0)
    weights = [sampler.sample(logits, labels) for _ in range(1000)]
    pixels = PixelCrossEntropyLoss()(logits, label, reduction_override="none")
    sums = torch.stack([(pixels * weight).sum() for weight in weights])
    means = sums / torch.stack([weight[label != IGNORED].sum() for weight in weights])
    for reduction, losses in (("sum", sums), ("mean", means)):
        loss = PixelCrossEntropyLoss(reduction)
        for weight, value in zip(weights[:20], losses):  # the loss itself, of which the above is a faster form
            torch.testing.assert_close(loss(logits, label, weight), value)
        assert losses.mean().item() == pytest.approx(loss(logits, label).item(), rel=0.01)
        assert losses.std() > 0.001 * losses.mean()


@pytest.mark.parametrize("size", [(30, 45), (8, 16), (5, 3)])
def test_blocks_are_kept_or_dropped_together(size):
    logits, labels = scene(*size)
    weight = draw(PatchPixelSampler(0.4, cell=8), logits, labels)
    assert weight.shape == (2, *size)
    torch.manual_seed(0)
    rows, columns = (-(-side // 8) for side in size)
    kept = torch.rand(2, rows, columns) < 0.4
    assert 0 < kept.sum() < kept.numel() or kept[0].numel() == 1
    for image in range(2):
        for row in range(size[0]):
            for column in range(size[1]):
                expected = 2.5 if kept[image, row // 8, column // 8] else 0
                assert weight[image, row, column] == expected


def test_pixels_are_drawn_one_by_one():
    logits, labels = scene(200, 300)
    kept = (draw(PatchPixelSampler(0.3), logits, labels) > 0).float()
    assert kept.mean().item() == pytest.approx(0.3, abs=0.01)
    # neighbours, and the same pixel of two images, know nothing of each other
    for first, second in ((kept[:, 1:], kept[:, :-1]), (kept[..., 1:], kept[..., :-1]), (kept[0], kept[1])):
        assert (first * second).mean().item() == pytest.approx(0.09, abs=0.01)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("cell", [1, 8])
def test_probability_one_is_the_whole_image(cell, reduction):
    logits, labels = scene(30, 45)
    weight = draw(PatchPixelSampler(1, cell), logits, labels)
    assert torch.equal(weight, torch.ones(2, 30, 45))
    loss = PixelCrossEntropyLoss(reduction)
    assert loss(logits, labels[:, 0], weight) == loss(logits, labels[:, 0])


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_ignored_pixels_stay_ignored(reduction):
    logits, labels = scene(30, 45)
    logits.requires_grad_()
    weight = draw(PatchPixelSampler(0.5), logits, labels)
    (gradient,) = torch.autograd.grad(PixelCrossEntropyLoss(reduction)(logits, labels[:, 0], weight), logits)
    trained = gradient.abs().amax(1) > 0
    assert torch.equal(trained, (weight > 0) & (labels[:, 0] != IGNORED))
    nothing = PixelCrossEntropyLoss(reduction)(logits, torch.full_like(labels[:, 0], IGNORED), weight)
    assert nothing == 0


def test_seed_decides():
    """The hook that seeds each iteration makes a resumed training draw the same."""
    logits, labels = scene(30, 45)
    sampler = TASK_UTILS.build(dict(type="PatchPixelSampler", keep_prob=0.5, cell=8, context=None))
    first = draw(sampler, logits, labels)
    assert torch.equal(first, draw(sampler, logits, labels))
    assert not torch.equal(first, draw(sampler, logits, labels, seed=1))
    assert first.dtype == logits.dtype and draw(sampler, logits.double(), labels).dtype == torch.float64


@pytest.mark.parametrize("keep_prob", [0, -0.5, 1.001, 50, float("nan"), "0.5", None, [0.5]])
def test_probability_out_of_range(keep_prob):
    with pytest.raises(ValueError, match="keep_prob must be a number above 0 and at most 1, got "):
        PatchPixelSampler(keep_prob)


@pytest.mark.parametrize("cell", [0, -8, 1.5, "8", None])
def test_cell_out_of_range(cell):
    with pytest.raises(ValueError, match="cell must be an integer of at least 1"):
        PatchPixelSampler(0.5, cell)
