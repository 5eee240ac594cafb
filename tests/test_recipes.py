"""One recipe, one step: the shipped configs against gradient descent written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from testing.utils import IMAGE_SIZE, tiny_config
from torch import Tensor, nn

CLASSES, IGNORED, WEIGHT_DECAY = 21, 255, 5e-4
MEAN = torch.tensor([104.00699, 116.66877, 122.67892])
BALANCE = torch.tensor([1 / 3] + [1.0] * 20, dtype=torch.float64)


def summed(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")


def averaged(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels, ignore_index=IGNORED)


def balanced(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels, BALANCE, ignore_index=IGNORED)


def sampled(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over the squares of 32 pixels that the next random numbers choose."""
    height, width = IMAGE_SIZE
    kept = torch.rand(len(labels), 2, 2) < 0.5
    rows, columns = torch.arange(height) // 32, torch.arange(width) // 32
    return averaged(logits, labels.masked_fill(~kept[:, rows][:, :, columns], IGNORED))


@dataclass
class Recipe:
    """What a config promises: the loss, the rate, the momentum, and the upsampling that is learned."""

    loss: Callable[[Tensor, Tensor], Tensor]
    rate: float
    momentum: float
    learned: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()


RECIPES = {
    "fcn32s_vgg16_sbd": Recipe(summed, 1e-10, 0.99, fixed=("upscore",)),
    "fcn16s_vgg16_sbd": Recipe(summed, 1e-12, 0.99, fixed=("upscore2", "upscore16")),
    "fcn8s_vgg16_sbd": Recipe(summed, 1e-14, 0.99, fixed=("upscore2", "upscore_pool4", "upscore8")),
    "fcn8s-atonce_vgg16_sbd": Recipe(summed, 1e-10, 0.99, fixed=("upscore2", "upscore_pool4", "upscore8")),
    "fcn32s_vgg16_cvpr_sbd": Recipe(averaged, 1e-4, 0.9, fixed=("upscore",)),
    "fcn16s_vgg16_cvpr_sbd": Recipe(averaged, 1e-6, 0.9, ("upscore2",), ("upscore16",)),
    "fcn8s_vgg16_cvpr_sbd": Recipe(averaged, 1e-8, 0.9, ("upscore2", "upscore_pool4"), ("upscore8",)),
    "fcn32s-fixed_vgg16_cvpr_sbd": Recipe(averaged, 1e-4, 0.9, fixed=("upscore", "conv1_1", "conv5_3", "fc6", "fc7")),
    "fcn32s-patchwise_vgg16_cvpr_sbd": Recipe(sampled, 1e-4, 0.9, fixed=("upscore",)),
    "fcn32s-balanced_vgg16_cvpr_sbd": Recipe(balanced, 1e-4, 0.9, fixed=("upscore",)),
    "fcn32s-augmented_vgg16_cvpr_sbd": Recipe(averaged, 1e-4, 0.9, fixed=("upscore",)),
}


def narrow(name: str, folder: Path, voc: Path, **settings) -> tuple[Config, nn.Module]:
    """A shipped config for a narrow network, and the network in double precision, its biases and scores not zero."""
    cfg = Config.fromfile(tiny_config(folder, voc, name, **settings))
    init_default_scope("mmseg")
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if key.endswith("bias") or "score_" in key:
                parameter.normal_(0, 0.1)
    return cfg, model.double().train()


def batches(number: int = 2, images: int = 2) -> list[dict]:
    """Batches as the data loader gives them: pixels 0 to 255, labels with some ignored."""
    generator, made = torch.Generator().manual_seed(1), []
    for _ in range(number):
        pictures = torch.randint(0, 256, (images, 3, *IMAGE_SIZE), dtype=torch.uint8, generator=generator)
        labels = torch.randint(0, CLASSES, (images, 1, *IMAGE_SIZE), generator=generator)
        labels[0, :, :9] = IGNORED
        samples = [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels]
        made.append(dict(inputs=list(pictures), data_samples=samples))
    return made


def train(cfg: Config, model: nn.Module, data: list[dict]) -> None:
    """Train as the runner does, on given batches."""
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    for seed, batch in enumerate(data):
        torch.manual_seed(seed)
        model.train_step(batch, optim_wrapper)


def by_hand(model: nn.Module, data: list[dict], recipe: Recipe) -> dict[str, Tensor]:
    """The same training written out; returns the parameters it ends with, and changes those of ``model``.

    Velocity v = m v + (g + d w), weight w = w - r v. Biases take twice the rate r and no decay d.
    """
    trained = {key: parameter for key, parameter in model.named_parameters() if parameter.requires_grad}
    velocity = {key: torch.zeros_like(parameter) for key, parameter in trained.items()}
    for seed, batch in enumerate(data):
        torch.manual_seed(seed)
        images = torch.stack(batch["inputs"]).float() - MEAN[:, None, None]
        labels = torch.stack([sample.gt_sem_seg.data[0] for sample in batch["data_samples"]])
        loss = recipe.loss(model(images.double(), mode="tensor"), labels)
        for (key, parameter), gradient in zip(trained.items(), torch.autograd.grad(loss, list(trained.values()))):
            is_bias = key.endswith("bias")
            decay = 0 if is_bias else WEIGHT_DECAY
            velocity[key] = recipe.momentum * velocity[key] + gradient + decay * parameter.detach()
            parameter.data -= recipe.rate * (2 if is_bias else 1) * velocity[key]
    return {key: parameter.detach().clone() for key, parameter in model.named_parameters()}


def assert_same_steps(
    name: str, folder: Path, voc: Path, recipe: Recipe, data: list[dict], hand: list[dict] | None = None, **settings
) -> tuple[dict, dict]:
    """Train a config, and by hand, and compare how far each parameter went.

    Returns:
        tuple[dict, dict]: the parameters before and after.
    """
    cfg, model = narrow(name, folder, voc, **settings)
    reference = narrow(name, folder, voc, **settings)[1]
    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    train(cfg, model, data)
    actual, expected = dict(model.named_parameters()), by_hand(reference, hand or data, recipe)
    assert before.keys() == actual.keys() == expected.keys()
    for key, start in before.items():
        way = expected[key] - start
        # within 1e-6 of the way, beside the rounding of the parameter itself
        rounding = 4 * torch.finfo(start.dtype).eps * start.abs().max()
        assert (actual[key] - expected[key]).abs().max() <= 1e-6 * way.abs().max() + rounding, key
        assert way.abs().max() == 0 or way.abs().max() > 1e3 * rounding, f"{key} hardly moves: nothing is tested"
    return before, actual


@pytest.mark.parametrize("name", RECIPES)
def test_two_steps(name, tmp_path, voc):
    """Loss, rate, momentum, decay, and what is trained at all, with a batch of two images and dropout."""
    recipe = RECIPES[name]
    before, after = assert_same_steps(name, tmp_path, voc, recipe, batches())
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert {f"decode_head.{layer}.weight" for layer in recipe.learned} <= moved
    assert not {key for key in moved if key.split(".")[1] in recipe.fixed}
    if "-fixed" in name:
        assert moved == {"decode_head.score_fr.weight", "decode_head.score_fr.bias"}
    else:
        fixed = {f"decode_head.{layer}.weight" for layer in recipe.fixed}
        assert moved == before.keys() - fixed


def test_fixed_keeps_no_graph_of_the_feature_extractor(tmp_path, voc):
    """Of the frozen feature extractor, nothing is kept for backward; every parameter with a gradient gets one."""
    _, model = narrow("fcn32s-fixed_vgg16_cvpr_sbd", tmp_path, voc)
    batch = model.data_preprocessor(batches(1)[0], training=True)
    features = model.extract_feat(batch["inputs"])
    assert not any(feature.requires_grad for feature in features)
    assert model.neck.dropout.training  # the scores learn on features with dropout, as in the unfrozen network
    model(**batch, mode="loss")["decode.loss_ce"].backward()
    with_gradient = {key for key, parameter in model.named_parameters() if parameter.grad is not None}
    assert with_gradient == {key for key, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("name", ["fcn32s_vgg16_cvpr_sbd", "fcn32s_vgg16_sbd"])
def test_accumulated_images(name, tmp_path, voc):
    """Accumulating gradients averages the losses of the images, be they averaged over pixels or summed."""
    recipe = RECIPES[name]
    (both,) = batches(1)
    one_by_one = [{key: [value[i]] for key, value in both.items()} for i in range(2)]

    def image_by_image(logits: Tensor, labels: Tensor) -> Tensor:
        return (recipe.loss(logits[:1], labels[:1]) + recipe.loss(logits[1:], labels[1:])) / 2

    settings = {"optim_wrapper.accumulative_counts": 2, "model.neck.dropout_ratio": 0.0}
    averaging = Recipe(image_by_image, recipe.rate, recipe.momentum)
    assert_same_steps(name, tmp_path, voc, averaging, one_by_one, [both], **settings)


def test_balancing_by_sampling(tmp_path, voc):
    """The alternative that the config names: the background is drawn, the mean is that over the kept pixels."""

    def drawn(logits: Tensor, labels: Tensor) -> Tensor:
        dropped = (labels == 0) & (torch.rand(labels.shape, dtype=torch.float64) >= 1 / 3)
        return averaged(logits, labels.masked_fill(dropped, IGNORED))

    sampler = dict(type="ClassPixelSampler", keep_prob=BALANCE.tolist())
    settings = {"model.decode_head.sampler": sampler, "model.neck.dropout_ratio": 0.0}
    assert_same_steps("fcn32s_vgg16_cvpr_sbd", tmp_path, voc, Recipe(drawn, 1e-4, 0.9), batches(), **settings)


@pytest.mark.parametrize(
    "loss",
    [
        dict(type="PixelCrossEntropyLoss", class_weight=[1.0] * 3),
        dict(type="CrossEntropyLoss", class_weight=[1.0] * 3),
        [dict(type="PixelCrossEntropyLoss"), dict(type="PixelCrossEntropyLoss", class_weight=[1.0] * 3)],
    ],
)
def test_wrong_number_of_class_weights(loss):
    """An error when the model is built, not in the first iteration."""
    head = dict(type="FCN32sHead", in_channels=[4], loss_decode=loss)
    with pytest.raises(
        ValueError, match=r"class_weight of \w+ must list one weight for each of 21 classes, got 3: \[1"
    ):
        MODELS.build(dict(head, num_classes=21))
    MODELS.build(dict(head, num_classes=3, ignore_index=2))  # which MMSegmentation 1.2 takes for a class with a weight
