"""Classifying patch by patch, the way before fully convolutional networks: what one pass over the image saves.

Source: section 3.1 of the FCN paper.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..geometry.coord_map import IMAGE, CoordMap
from ..models.backbones.padded_backbone import PaddedBackbone
from ..utils.peak_memory import PeakMemory
from .a_trous import dense_form, layers_in_order
from .dense_encoder_decoder import score, score_map


class PatchClassifier:
    """The scores of a segmentor's network for patches of an image, by two ways that give the same numbers.

    A patch is as large as the receptive field of a score. The network runs without any padding: of a patch it makes one
    score, and of an image those of all patches in it, which are the scores of the padded network that its padding does
    not touch.

    Args:
        model (EncoderDecoder): an FCN-32s whose head knows its feature maps, as in an :class:`AlignedEncoderDecoder`;
            it is switched to eval mode.

    Attributes:
        size (int): side of a patch, in pixels.
        stride (int): the network's stride, in pixels.

    Raises:
        ValueError: if its head fuses several maps, or the receptive field is not known.
    """

    def __init__(self, model: EncoderDecoder) -> None:
        self.model = model.eval()
        coord_map = score_map(model)
        if coord_map.size <= coord_map.stride:
            raise ValueError("the receptive field is not known: build the network as an AlignedEncoderDecoder")
        self.size, self.stride = int(coord_map.size), int(coord_map.stride)
        weight = next(model.backbone.parameters())
        self.layers = layers_in_order(model, weight.new_zeros(1, weight.shape[1], self.size, self.size))
        self.network = dense_form(self.layers, self.stride, padded=False)

    def coord_map(self, stride: int) -> CoordMap:
        """Where the scores of patches lie that are ``stride`` pixels apart: at the patches' centres."""
        return IMAGE.conv(self.size, stride)

    @torch.no_grad()
    def classify_patches(self, images: Tensor, stride: int | None = None, batch_size: int = 16) -> Tensor:
        """Cut out a patch every ``stride`` pixels, by default the network's stride, and classify each by itself.

        Args:
            images (Tensor): (N, 3, H, W), ``size`` pixels or more.
            stride (int, optional): distance of the patches, in pixels.
            batch_size (int): patches in a batch, on which the memory depends.

        Returns:
            Tensor: scores (N, num_classes, h, w) of the patches.
        """
        stride = self.check(images, stride)
        patches = images.unfold(2, self.size, stride).unfold(3, self.size, stride)  # a view: (N, 3, h, w, size, size)
        number, _, height, width = patches.shape[:4]
        places = [(n, y, x) for n in range(number) for y in range(height) for x in range(width)]
        scores = []
        for start in range(0, len(places), batch_size):
            n, y, x = map(list, zip(*places[start : start + batch_size]))
            scores.append(score(self.model, self.network(patches[n, :, y, x])).flatten(1))
        return torch.cat(scores).unflatten(0, (number, height, width)).permute(0, 3, 1, 2)

    @torch.no_grad()
    def classify_image(self, images: Tensor, stride: int | None = None) -> Tensor:
        """The same scores by one fully convolutional pass; of dilated filters, for a stride below the network's."""
        stride = self.check(images, stride)
        finest = math.gcd(stride, self.stride)
        network = self.network if finest == self.stride else dense_form(self.layers, finest, padded=False)
        step = stride // finest
        return score(self.model, network(images))[:, :, ::step, ::step]

    def check(self, images: Tensor, stride: int | None) -> int:
        """The distance of the patches, by default the network's stride; raises ValueError if a patch does not fit."""
        stride = self.stride if stride is None else stride
        if stride < 1:
            raise ValueError(f"the distance of patches must be 1 pixel or more, got {stride}")
        if min(images.shape[2:]) < self.size:
            raise ValueError(
                f"a patch of {self.size} x {self.size} pixels, the receptive field, does not fit in an image of"
                f" {' x '.join(map(str, images.shape[2:]))}: use larger images"
            )
        return stride


@dataclass(frozen=True)
class Comparison:
    """What both ways need for the same scores of one image.

    Attributes:
        image_size: height and width of the image, in pixels.
        patches: their number.
        patch_seconds, image_seconds: medians of the times, patch by patch and in one pass.
        patch_bytes, image_bytes: peaks of the tensors that are made (:class:`PeakMemory`).
        largest_difference: between the scores of the two, relative to the largest score.
    """

    image_size: int
    patches: int
    patch_seconds: float
    image_seconds: float
    patch_bytes: int
    image_bytes: int
    largest_difference: float


def compare(
    classifier: PatchClassifier,
    sizes: Sequence[int],
    stride: int | None = None,
    repeats: int = 3,
    batch_size: int = 16,
    seed: int = 0,
) -> Iterator[Comparison]:
    """Measure both ways on square images of random values, one size after the other.

    Args:
        classifier (PatchClassifier): on the device to measure.
        sizes (Sequence[int]): sides of the images, in pixels.
        stride (int, optional): distance of the patches, in pixels; by default the network's stride.
        repeats (int): timed runs of each way, after one that is not timed.
        batch_size (int): patches in a batch.
        seed (int): of the random values.

    Raises:
        ValueError: before anything is measured, if a patch does not fit in one of the images.
    """
    weight = next(classifier.model.parameters())
    for size in sizes:
        classifier.check(weight.new_empty(0, 0, size, size), stride)
    generator = torch.Generator().manual_seed(seed)
    shapes = ((1, weight.shape[1], size, size) for size in sizes)
    images = (64 * torch.randn(shape, generator=generator).to(weight) for shape in shapes)
    return (_compare(classifier, image, stride, repeats, batch_size) for image in images)


def _compare(
    classifier: PatchClassifier, image: Tensor, stride: int | None, repeats: int, batch_size: int
) -> Comparison:
    ways = (
        lambda: classifier.classify_patches(image, stride, batch_size),
        lambda: classifier.classify_image(image, stride),
    )
    peaks, scores = [], []
    for way in ways:
        with PeakMemory() as memory:
            scores.append(way())
        peaks.append(memory.peak)
    by_patches, by_image = scores
    # the two alternate, so that what else the machine does meets both
    seconds = [[measure_time(way, image.device) for way in ways] for _ in range(repeats)]
    return Comparison(
        image.shape[-1],
        by_patches[:, 0].numel(),
        *(statistics.median(times) for times in zip(*seconds)),
        *peaks,
        float((by_patches - by_image).abs().max() / by_image.abs().max()),
    )


def measure_time(run: Callable[[], Tensor], device: torch.device) -> float:
    """Seconds until the result is there."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def build_network(model: Mapping, width: float | None = None, seed: int = 0) -> EncoderDecoder:
    """Build the FCN-32s of a config, with random weights: time and memory do not depend on their values.

    Args:
        model (Mapping): the config's ``model``; the skips of another head are left out.
        width (float, optional): multiplier of all channel numbers, in place of the backbone's own.
        seed (int): of the weights.

    Returns:
        EncoderDecoder: in eval mode, on the CPU.

    Raises:
        ValueError: for a backbone that is not of this package.
    """
    model = copy.deepcopy(dict(model))
    backbone, neck = model["backbone"], model.get("neck")
    backbone["init_cfg"] = None
    if width is not None:
        backbone["width"] = width
    with torch.device("meta"):
        built = MODELS.build(backbone)
    if not isinstance(built, PaddedBackbone):
        raise ValueError(f"patches can be classified with FCNVGG, CaffeNet and GoogLeNet, got {backbone['type']}")
    if neck:
        neck.update(in_channels=built.feature_maps[-1].channels, init_cfg=None)
        if width is not None:
            neck["channels"] = max(1, round(neck["channels"] * width))
    model["type"] = "AlignedEncoderDecoder"
    model["decode_head"] = dict(type="FCN32sHead", num_classes=model["decode_head"]["num_classes"])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = MODELS.build(model).eval()
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    return network
