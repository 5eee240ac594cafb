"""Parts of segmentors as other people write them: plain modules, without anything of the toolbox's BaseModule."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional


@MODELS.register_module()
class PlainBackbone(nn.Module):
    """Maps of 4 channels at strides 8, 16 and 32, offset 0."""

    def __init__(self) -> None:
        super().__init__()
        strides = dict(stem=4, conv1=2, conv2=2, conv3=2)
        for name, stride in strides.items():
            self.add_module(name, nn.Conv2d(3 if name == "stem" else 4, 4, 3, stride, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x, maps = self.stem(x), []
        for conv in (self.conv1, self.conv2, self.conv3):
            x = conv(x).relu()
            maps.append(x)
        return tuple(maps)


@MODELS.register_module()
class PlainBackboneOfOtherNames(PlainBackbone):
    """Calls something else what ours call their maps and their initialisation."""

    feature_maps = (4, 4, 4)
    init_cfg = "kaiming"
    out_channels = 12


@MODELS.register_module()
class PlainBackboneWithValues(PlainBackbone):
    """Looks at values of the image, so that it does not run without."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        assert x.sum().item() < 1e9
        return super().forward(x)


@MODELS.register_module()
class PlainBackboneOfNames(PlainBackbone):
    """Returns its maps by names, as torchvision's."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return dict(zip(("a", "b", "c"), super().forward(x)))


@MODELS.register_module()
class PlainNeck(nn.Module):
    """A convolution on each map."""

    def __init__(self, in_channels: tuple[int, ...] = (4, 4, 4)) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(one, 4, 1) for one in in_channels)

    def forward(self, inputs: tuple[Tensor, ...]) -> list[Tensor]:
        return [conv(x) for conv, x in zip(self.convs, inputs)]


@MODELS.register_module()
class PlainNeckWithValues(PlainNeck):
    """Looks at values of the maps."""

    def forward(self, inputs: tuple[Tensor, ...]) -> list[Tensor]:
        assert inputs[0].sum().item() < 1e9
        return super().forward(inputs)


@MODELS.register_module()
class PlainHead(nn.Module):
    """All that the toolbox's segmentors ask of a head, and nothing more."""

    align_corners = False

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = self.out_channels = num_classes
        self.conv = nn.Conv2d(4, num_classes, 1)

    def forward(self, inputs: tuple[Tensor, ...], size: tuple[int, int]) -> Tensor:
        return functional.interpolate(self.conv(inputs[-1]), size, mode="bilinear")

    def loss(self, inputs: tuple[Tensor, ...], samples: list, train_cfg: dict) -> dict[str, Tensor]:
        labels = torch.cat([sample.gt_sem_seg.data for sample in samples])
        return dict(loss_ce=functional.cross_entropy(self(inputs, labels.shape[1:]), labels, ignore_index=255))

    def predict(self, inputs: tuple[Tensor, ...], metas: list[dict], test_cfg: dict) -> Tensor:
        return self(inputs, metas[0]["img_shape"][:2])


@MODELS.register_module()
class PlainLoss(nn.Module):
    """With what the toolbox hands to a loss, and a name."""

    loss_name = "loss_plain"

    def forward(self, logits: Tensor, labels: Tensor, weight: Tensor | None = None, ignore_index: int = 255) -> Tensor:
        return functional.cross_entropy(logits, labels, ignore_index=ignore_index)
