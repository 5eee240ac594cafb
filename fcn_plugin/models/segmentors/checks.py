"""That the heads of a segmentor fit the maps of its trunk: from the configs, and from the modules once built."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from ...geometry.backbones import UnknownGeometryError, component_class, trunk_maps
from ...geometry.trunk import TrunkMap, dry_run
from ..decode_heads.fcn_skip_head import FCNSkipHead


def is_skip_head(head: Mapping) -> bool:
    """Whether a config is that of a skip head."""
    head_class = component_class(head["type"])
    return head_class is not None and issubclass(head_class, FCNSkipHead)


def with_geometry(head: Mapping, backbone: Mapping, neck: Mapping | None = None) -> Mapping:
    """Give the config of a skip head the ``geometry`` of its trunk, if it has none; check any other head.

    Raises:
        ValueError: as :func:`check_positions`.
    """
    if is_skip_head(head) and head.get("geometry") is None:
        return {**head, "geometry": dict(backbone=backbone, neck=neck)}
    check_positions(head, backbone, neck)
    return head


def check_positions(head: Mapping, backbone: Mapping, neck: Mapping | None = None) -> None:
    """Check where a head takes its maps to lie, if that is known of the trunk; all are configs.

    Raises:
        ValueError: if a skip head's ``geometry`` differs, or another head, which stretches its map over the image,
            would stretch one that begins outside of the image.
    """
    try:
        maps = trunk_maps(backbone, neck)
    except UnknownGeometryError:
        return
    if is_skip_head(head):
        in_index = FCNSkipHead.used_maps(head["in_channels"], head.get("in_index"))
        told = FCNSkipHead.maps_of(head.get("geometry"), in_index)
        actual = FCNSkipHead.maps_of(dict(backbone=backbone, neck=neck), in_index)
        if told != actual:
            raise ValueError(
                f"decode_head.geometry says that the feature maps lie at {', '.join(map(str, told))}, but those of the"
                f" model lie at {', '.join(map(str, actual))}: give model.decode_head.geometry the settings of"
                " model.backbone and model.neck, or leave it out in an AlignedEncoderDecoder"
            )
        return
    in_index = head.get("in_index", -1)
    for i in [in_index] if isinstance(in_index, int) else in_index:
        if -len(maps) <= i < len(maps) and maps[i].offset <= -maps[i].stride / 2:
            raise ValueError(
                f"{head['type']} stretches map {i} over the image, but it lies at {maps[i]}, beginning outside of the"
                " image: set model.backbone.padding=1, or take a skip head, which crops it"
            )


def skip_heads(model: nn.Module) -> dict[str, FCNSkipHead]:
    """The skip heads of a segmentor, by their names in its config."""
    auxiliary = getattr(model, "auxiliary_head", None)
    heads = {"decode_head": model.decode_head, "auxiliary_head": auxiliary}
    if isinstance(auxiliary, nn.ModuleList):
        heads.update((f"auxiliary_head.{i}", head) for i, head in enumerate(auxiliary))
    return {name: head for name, head in heads.items() if isinstance(head, FCNSkipHead)}


def check_maps(model: nn.Module, adds_positions: bool = True) -> None:
    """Check what the skip heads of a segmentor were told of their maps against those of its trunk.

    The trunk is not computed, see :func:`dry_run`; one that cannot run that way is checked by the heads when it runs.

    Args:
        model (nn.Module): a segmentor with ``backbone``, ``neck``, ``decode_head`` and ``auxiliary_head``.
        adds_positions (bool): whether it makes :class:`ImageFeatures` of whatever its trunk returns.

    Raises:
        ValueError: naming what a head was told, what the trunk gives, and what to set.
    """
    heads = skip_heads(model)
    strides = [one.stride for head in heads.values() for one in head.feature_maps]
    trunk = dry_run(model.backbone, getattr(model, "neck", None), strides) if heads else None
    if trunk is None:
        return
    for name, head in heads.items():
        if not (adds_positions or trunk.knows_positions):
            raise ValueError(
                f"{type(head).__name__} needs the positions of its maps, which {type(model.backbone).__name__} does not"
                " tell: set model.type='AlignedEncoderDecoder'"
            )
        _check_head(head, trunk.maps, name)


def _check_head(head: FCNSkipHead, maps: tuple[TrunkMap, ...], name: str) -> None:
    told = [TrunkMap(channels, at.stride) for channels, at in zip(head.in_channels, head.feature_maps)]
    given = [maps[i] if -len(maps) <= i < len(maps) else None for i in head.in_index]
    if told == given:
        return
    if None in given:
        remedy = "in_index to maps that there are"
    elif [one.stride for one in told] != [one.stride for one in given]:
        remedy = "in_index to other maps, or geometry to where these lie"
    else:
        remedy = f"in_channels={[one.channels for one in given]}, or in_index to other maps"
    raise ValueError(
        f"{name} was told of {', '.join(map(str, told))} in the maps {list(head.in_index)}, but the trunk gives"
        f" {', '.join(f'{i}: {one}' for i, one in enumerate(maps))}: set model.{name}.{remedy}"
    )
