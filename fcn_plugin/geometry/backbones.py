"""Where the feature maps of a trunk (backbone and neck) lie in the image, told by its configs.

A component tells it by a classmethod ``coord_maps``, as :class:`FCNVGG` does. For backbones of the toolbox, the
functions below put it together layer by layer. Where layers are added that lie on different pixels, there is no one
position. HRNet is taken by the convolutions of each branch alone: what it adds from coarser branches, it takes from
further up and left, as it interpolates them as if their cells were in the middle of their pixels.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

from mmseg.registry import MODELS

from .coord_map import IMAGE, CoordMap


class UnknownGeometryError(ValueError):
    """Raised where the positions of feature maps do not follow from a config; they can be measured and declared."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}: give decode_head.geometry=[dict(stride=..., offset=...), ...], one entry per used map, fine to"
            " coarse (tools/alignment.py measures them)"
        )


def component_class(name: str | type) -> type | None:
    """The class that a config's ``type`` means, None if nothing of that name is registered."""
    return name if isinstance(name, type) else MODELS.get(name)


def trunk_maps(backbone: Mapping, neck: Mapping | None = None) -> tuple[CoordMap, ...]:
    """Where the maps lie that a trunk hands on, in its order.

    Args:
        backbone (Mapping): its config.
        neck (Mapping, optional): its config.

    Raises:
        UnknownGeometryError: for a type that is not known, or options that give its maps no one position.
        ValueError: for options by which the backbone returns no maps.
    """
    cfg = dict(backbone)
    name = cfg.pop("type")
    component = component_class(name)
    if hasattr(component, "coord_maps"):
        maps = component.coord_maps(**cfg)
    elif component is not None and (known := BACKBONES.get(_qualified_name(component))):
        maps = known(**{**_defaults(component), **cfg})
    else:
        raise UnknownGeometryError(f"the geometry of {getattr(component, '__name__', name)} is not known")
    if not neck:
        return maps
    cfg = dict(neck)
    name = cfg.pop("type")
    component = component_class(name)
    if not hasattr(component, "coord_maps"):
        raise UnknownGeometryError(f"the geometry of {getattr(component, '__name__', name)} is not known")
    return component.coord_maps(maps, **cfg)


def resnet(
    strides: Sequence[int],
    dilations: Sequence[int],
    out_indices: Sequence[int],
    style: str,
    deep_stem: bool,
    avg_down: bool,
    **_,
) -> tuple[CoordMap, ...]:
    """ResNet and ResNeXt: stem, max pooling, and stages whose first block has the stride."""
    stem = IMAGE.conv(3, 2, 1).conv(3, 1, 1).conv(3, 1, 1) if deep_stem else IMAGE.conv(7, 2, 3)
    current, stages = stem.conv(3, 2, 1), []
    for stride, dilation in zip(strides, dilations):
        first, second = (1, stride) if style == "pytorch" else (stride, 1)
        branch = current.conv(1, first).conv(3, second, dilation, dilation)
        shortcut = current.conv(stride, stride) if avg_down else current.conv(1, stride)
        if shortcut != branch:
            raise UnknownGeometryError(
                f"with avg_down=True (ResNetV1d), the averaged shortcuts of a ResNet lie at {shortcut}, its"
                f" convolutions at {branch}, so its maps have no one position"
            )
        current = branch
        stages.append(current)
    return _selected(stages, out_indices)


def resnet_v1c(**cfg) -> tuple[CoordMap, ...]:
    """ResNetV1c: ResNet with a deep stem."""
    return resnet(**{**cfg, "deep_stem": True, "avg_down": False})


def resnet_v1d(**cfg) -> tuple[CoordMap, ...]:
    """ResNetV1d: ResNet with a deep stem and averaged shortcuts."""
    return resnet(**{**cfg, "deep_stem": True, "avg_down": True})


def mobilenet_v2(
    strides: Sequence[int], dilations: Sequence[int], out_indices: Sequence[int], **_
) -> tuple[CoordMap, ...]:
    """MobileNetV2: each layer's first block has its stride and its dilation."""
    current, layers = IMAGE.conv(3, 2, 1), []
    for stride, dilation in zip(strides, dilations):
        current = current.conv(3, stride, dilation, dilation)
        layers.append(current)
    return _selected(layers, out_indices)


def swin(patch_size: int, strides: Sequence[int], out_indices: Sequence[int], **_) -> tuple[CoordMap, ...]:
    """Swin Transformer: patch embedding, and merging of 2x2 patches; both pad at the end only."""
    current = IMAGE.conv(patch_size, strides[0])
    stages = [current]
    for stride in strides[1:]:
        current = current.conv(2, stride)
        stages.append(current)
    return _selected(stages, out_indices)


def convnext(
    stem_patch_size: int, out_indices: int | Sequence[int], gap_before_final_norm: bool, **_
) -> tuple[CoordMap, ...]:
    """ConvNeXt: a stem of patches, and 2x2 convolutions of stride 2 between four stages."""
    if gap_before_final_norm:
        raise ValueError("ConvNeXt returns averages, not maps: set gap_before_final_norm=False in model.backbone")
    stages = [IMAGE.conv(stem_patch_size, stem_patch_size)]
    for _stage in range(1, 4):
        stages.append(stages[-1].conv(2, 2))
    indices = [out_indices] if isinstance(out_indices, int) else out_indices
    return _selected(stages, [i % len(stages) for i in indices])


def mmpretrain_vgg(
    num_stages: int,
    num_classes: int,
    dilations: Sequence[int],
    out_indices: Sequence[int] | None,
    with_last_pool: bool,
    **_,
) -> tuple[CoordMap, ...]:
    """VGG of mmpretrain, with or without BatchNorm: same-padded convolutions and a pooling in each stage."""
    if num_classes > 0:
        raise ValueError(f"VGG with a classifier of {num_classes} classes returns scores: leave num_classes out")
    current, stages = IMAGE, []
    for stage in range(num_stages):
        current = current.conv(3, 1, dilations[stage], dilations[stage])
        if stage < num_stages - 1 or with_last_pool:
            current = current.conv(2, 2)
        stages.append(current)
    return _selected(stages, (4,) if out_indices is None else out_indices)


def hrnet(extra: Mapping, multiscale_output: bool, **_) -> tuple[CoordMap, ...]:
    """HRNet: a stem of two strided convolutions, and another for each coarser branch."""
    branches = [IMAGE.conv(3, 2, 1).conv(3, 2, 1)]
    for _branch in range(1, extra["stage4"]["num_branches"]):
        branches.append(branches[-1].conv(3, 2, 1))
    return tuple(branches if multiscale_output else branches[:1])


def unet(num_stages: int, strides: Sequence[int], downsamples: Sequence[bool], **_) -> tuple[CoordMap, ...]:
    """UNet: its decoder's maps, coarse to fine, each at the place of the encoder's map that it takes over."""
    current, stages = IMAGE, []
    for stage in range(num_stages):
        if stage and strides[stage] == 1 and downsamples[stage - 1]:
            current = current.conv(2, 2)
        current = current.conv(3, strides[stage], 1)
        if stages and current.stride != stages[-1].stride:
            upsampled = current.deconv(4, 2, 1)  # twice as large, as all of its upsampling: the same as interpolation
            if upsampled != stages[-1]:
                raise UnknownGeometryError(
                    f"in a UNet with strided convolutions, the decoder adds upsampled maps that lie at {upsampled} to"
                    f" the encoder's at {stages[-1]}, so its maps have no one position"
                )
        stages.append(current)
    return tuple(reversed(stages))


#: Backbones by package and class; a class derived from one of these may differ from it and is not known.
BACKBONES: dict[str, Callable[..., tuple[CoordMap, ...]]] = {
    "mmseg.ResNet": resnet,
    "mmseg.ResNetV1c": resnet_v1c,
    "mmseg.ResNetV1d": resnet_v1d,
    "mmseg.ResNeXt": resnet,
    "mmseg.MobileNetV2": mobilenet_v2,
    "mmseg.SwinTransformer": swin,
    "mmseg.HRNet": hrnet,
    "mmseg.UNet": unet,
    "mmpretrain.ConvNeXt": convnext,
    "mmpretrain.VGG": mmpretrain_vgg,
}


def _qualified_name(component: type) -> str:
    return f"{component.__module__.partition('.')[0]}.{component.__name__}"


def _defaults(component: type) -> dict:
    """Default arguments of a class; where it hands on ``**kwargs``, those of its bases as well."""
    defaults = {}
    for base in reversed(component.__mro__):
        if "__init__" in vars(base):
            parameters = inspect.signature(base.__init__).parameters.values()
            defaults.update({p.name: p.default for p in parameters if p.default is not p.empty})
    return defaults


def _selected(maps: Sequence[CoordMap], out_indices: Sequence[int]) -> tuple[CoordMap, ...]:
    """The maps of ``out_indices``, in the order of the network, as the toolbox's backbones return them."""
    return tuple(coord_map for i, coord_map in enumerate(maps) if i in out_indices)
