"""Where the maps of the toolbox's backbones and necks lie, read from the layers of the built modules.

Where a network adds layers that lie on different pixels, there is no one position. HRNet and FPN are taken by the
convolutions of each branch or level alone: what they add from coarser ones, they take from further up and left, as they
interpolate them as if their cells were in the middle of their pixels.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from mmseg.models.backbones import (
    HRNet,
    MobileNetV2,
    ResNet,
    ResNetV1c,
    ResNetV1d,
    ResNeXt,
    SwinTransformer,
    UNet,
)
from mmseg.models.necks import FPN
from torch import nn

from .coord_map import IMAGE, CoordMap

#: Layers that move or spread what a cell sees; all others look at one place at a time.
WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.Unfold)


class UnknownGeometryError(ValueError):
    """Raised where nothing tells the positions of feature maps; they can be measured and declared."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}: give decode_head.geometry=[dict(stride=..., offset=...), ...], one entry per used map, fine to"
            " coarse (tools/alignment.py measures them)"
        )


def behind(start: CoordMap, *modules: nn.Module) -> CoordMap:
    """The map behind the convolutions and poolings inside of some modules, which run in the order of their names.

    Raises:
        UnknownGeometryError: for a window that differs along the axes, or is padded by a rule of its own.
    """
    layers = (layer for module in modules for layer in module.modules() if isinstance(layer, WINDOWS))
    for layer in layers:
        settings = [getattr(layer, name, 1) for name in ("kernel_size", "stride", "padding", "dilation")]
        pairs = [value if isinstance(value, tuple) else (value, value) for value in settings]
        if any(isinstance(value, str) for value in settings) or any(one != other for one, other in pairs):
            raise UnknownGeometryError(f"the geometry of {layer} is not known")
        start = start.conv(*(one for one, _ in pairs), ceil_mode=getattr(layer, "ceil_mode", False))
    return start


def resnet(backbone: ResNet) -> list[CoordMap]:
    """ResNet, ResNetV1c, ResNetV1d and ResNeXt."""
    current, stages = behind(IMAGE, backbone.stem if backbone.deep_stem else backbone.conv1, backbone.maxpool), []
    for name in backbone.res_layers:
        for block in getattr(backbone, name):
            names = [name for name in ("conv1", "conv2", "conv3") if hasattr(block, name)]
            branch = behind(current, *(getattr(block, name) for name in names))
            shortcut = current if block.downsample is None else behind(current, block.downsample)
            if shortcut != branch:
                raise UnknownGeometryError(
                    f"with avg_down=True (ResNetV1d), the averaged shortcuts of a ResNet lie at {shortcut}, its"
                    f" convolutions at {branch}, so its maps have no one position"
                )
            current = branch
        stages.append(current)
    return _selected(stages, backbone.out_indices)


def mobilenet_v2(backbone: MobileNetV2) -> list[CoordMap]:
    """MobileNetV2."""
    current, stages = behind(IMAGE, backbone.conv1), []
    for name in backbone.layers:
        current = behind(current, getattr(backbone, name))
        stages.append(current)
    return _selected(stages, backbone.out_indices)


def swin(backbone: SwinTransformer) -> list[CoordMap]:
    """Swin Transformer: patch embedding, and merging of patches between the stages; both pad at the end alone."""
    stages = [_padded_at_the_end(IMAGE, backbone.patch_embed.projection)]
    for stage in backbone.stages:
        if stage.downsample is not None:
            stages.append(_padded_at_the_end(stages[-1], stage.downsample.sampler))
    return _selected(stages, backbone.out_indices)


def hrnet(backbone: HRNet) -> list[CoordMap]:
    """HRNet: a stem of two strided convolutions, and another convolution for each coarser branch."""
    branches = [behind(IMAGE, backbone.conv1, backbone.conv2)]
    for transition in (backbone.transition1, backbone.transition2, backbone.transition3):
        branches += [behind(branches[-1], layer) for layer in transition[len(branches) :]]
    return branches if backbone.stage4[-1].multiscale_output else branches[:1]


def unet(backbone: UNet) -> list[CoordMap]:
    """UNet: its decoder's maps, coarse to fine, each at the place of the encoder's map that it takes over."""
    current, stages = IMAGE, []
    for stage in backbone.encoder:
        current = behind(current, stage)
        if stages and current.stride != stages[-1].stride:
            upsampled = current.deconv(4, 2, 1)  # twice as large, as all of its upsampling: the same as interpolation
            if upsampled != stages[-1]:
                raise UnknownGeometryError(
                    f"in a UNet with strided convolutions, the decoder adds upsampled maps that lie at {upsampled} to"
                    f" the encoder's at {stages[-1]}, so its maps have no one position"
                )
        stages.append(current)
    return stages[::-1]


def convnext(backbone: nn.Module) -> list[CoordMap]:
    """ConvNeXt of mmpretrain: a stem of patches, and 2x2 convolutions of stride 2 between the stages."""
    if backbone.gap_before_final_norm:
        raise ValueError("ConvNeXt returns averages, not maps: set gap_before_final_norm=False in model.backbone")
    current, stages = IMAGE, []
    for layer in backbone.downsample_layers:
        current = behind(current, layer)
        stages.append(current)
    return _selected(stages, backbone.out_indices)


def vgg(backbone: nn.Module) -> list[CoordMap]:
    """VGG of mmpretrain, with or without BatchNorm."""
    if backbone.num_classes > 0:
        raise ValueError(
            f"VGG with a classifier of {backbone.num_classes} classes returns scores: leave num_classes out"
        )
    layers, current, stages = getattr(backbone, backbone.module_name), IMAGE, []
    for first, end in backbone.range_sub_modules:
        current = behind(current, *layers[first:end])
        stages.append(current)
    return _selected(stages, backbone.out_indices)


def fpn(neck: FPN, maps: Sequence[CoordMap]) -> list[CoordMap]:
    """FPN: a map for each level that it uses, and further ones behind the last."""
    levels = [behind(at, conv) for at, conv in zip(maps[neck.start_level :], neck.lateral_convs)]
    outputs = [behind(at, conv) for at, conv in zip(levels, neck.fpn_convs)]
    sources = dict(on_input=maps[neck.backbone_end_level - 1], on_lateral=levels[-1])
    for conv in neck.fpn_convs[len(levels) :]:
        source = outputs[-1] if len(outputs) > len(levels) else sources.get(neck.add_extra_convs, outputs[-1])
        outputs.append(behind(source, conv))
    while len(outputs) < neck.num_outs:
        outputs.append(outputs[-1].conv(1, 2))  # a pooling of single cells
    return outputs


#: By class; one derived from these may differ from it and is not known.
BACKBONES: dict[type, Callable[[nn.Module], list[CoordMap]]] = {
    ResNet: resnet,
    ResNetV1c: resnet,
    ResNetV1d: resnet,
    ResNeXt: resnet,
    MobileNetV2: mobilenet_v2,
    SwinTransformer: swin,
    HRNet: hrnet,
    UNet: unet,
}
NECKS: dict[type, Callable[[nn.Module, Sequence[CoordMap]], list[CoordMap]]] = {FPN: fpn}


def backbone_maps(backbone: nn.Module) -> list[CoordMap] | None:
    """Where the maps of a backbone of the toolbox or of mmpretrain lie; None for one that is not known.

    Raises:
        UnknownGeometryError: for settings that give its maps no one position.
        ValueError: for settings by which it returns no maps.
    """
    known = dict(BACKBONES)
    if "mmpretrain.models" in sys.modules:  # then the backbone may be one of it
        from mmpretrain.models import VGG, ConvNeXt

        known |= {ConvNeXt: convnext, VGG: vgg}
    read = known.get(type(backbone))
    return None if read is None else read(backbone)


def neck_maps(neck: nn.Module, maps: Sequence[CoordMap]) -> list[CoordMap] | None:
    """Where the maps of a neck lie, given those of its backbone; None for one that is not known."""
    read = NECKS.get(type(neck))
    return None if read is None else read(neck, maps)


def _padded_at_the_end(start: CoordMap, layer: nn.Conv2d | nn.Unfold) -> CoordMap:
    """Behind a layer with a window for each start inside of its input, which is padded until the last one is full."""
    kernel, stride = (one if isinstance(one, int) else one[0] for one in (layer.kernel_size, layer.stride))
    return replace(behind(start, layer), end=start.end + start.stride * (Fraction(kernel - 1, 2) - (stride - 1)))


def _selected(maps: Sequence[CoordMap], out_indices: Iterable[int]) -> list[CoordMap]:
    """The maps of ``out_indices``, in the order of the network, as the toolbox's backbones return them."""
    return [coord_map for i, coord_map in enumerate(maps) if i in tuple(out_indices)]
