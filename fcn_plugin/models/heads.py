"""The heads of a built segmentor, and whether they place the maps of its backbone as they lie."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ..geometry import FeatureMap, UnknownGeometryError, read_feature_maps, recorded_maps


def heads_of(model: nn.Module) -> dict[str, nn.Module]:
    """The heads of a segmentor, by their names in its config; of a cascade and of several auxiliary heads, each."""
    heads: dict[str, nn.Module] = {}
    for name in ("decode_head", "auxiliary_head"):
        head = getattr(model, name, None)
        if isinstance(head, nn.ModuleList):
            heads.update((f"{name}.{i}", one) for i, one in enumerate(head))
        elif isinstance(head, nn.Module):
            heads[name] = head
    return heads


def last_head(model: nn.Module) -> nn.Module:
    """The head that a segmentor predicts by: its decode head, of a cascade the last one."""
    return model.decode_head[-1] if isinstance(model.decode_head, nn.ModuleList) else model.decode_head


def check_stretched(head: nn.Module, backbone: nn.Module, neck: nn.Module | None, maps: Sequence[FeatureMap]) -> None:
    """Check that the maps of a head that stretches them over the image, as those of the toolbox do, lie there.

    A head with ``feature_maps``, as the skip heads, has read where they lie.

    Args:
        head (nn.Module): of a segmentor.
        backbone (nn.Module): of the same.
        neck (nn.Module, optional): of the same.
        maps (Sequence[FeatureMap]): what the head is given, empty where nothing is known of it.

    Raises:
        ValueError: naming the map, or the neck behind which nothing tells where the maps of the backbone lie.
    """
    if hasattr(head, "feature_maps"):
        return
    in_index = getattr(head, "in_index", -1)
    indices = [in_index] if isinstance(in_index, int) else in_index or ()
    used = {i: maps[i].coord_map for i in indices if -len(maps) <= i < len(maps)}
    remedy = (
        "set model.backbone.padding=1 (and fc6_padding='same' of a FCConvNeck), or take a skip head, which crops it"
    )
    if used and None not in used.values():
        for i, at in used.items():
            if not at.spans_image:
                raise ValueError(
                    f"{type(head).__name__} stretches map {i} over the image, but it lies at {at}, beginning elsewhere"
                    f" than the image: {remedy}"
                )
        return
    for at in (one.coord_map for one in recorded_maps(backbone) or ()):
        if not at.spans_image:
            raise ValueError(
                f"{type(head).__name__} stretches its maps over the image, but {type(backbone).__name__} makes one at"
                f" {at}, beginning elsewhere, and where it lies behind {type(neck).__name__} is not known: {remedy} by"
                " decode_head.geometry"
            )


def check_heads_stretch(model: nn.Module) -> None:
    """Check the heads of a segmentor by :func:`check_stretched`, for one that does not do so itself."""
    neck = getattr(model, "neck", None)
    try:
        maps = read_feature_maps(model.backbone, neck)
    except UnknownGeometryError:
        maps = ()
    for name, head in heads_of(model).items():
        try:
            check_stretched(head, model.backbone, neck, maps)
        except ValueError as error:
            raise ValueError(str(error) if name == "decode_head" else f"{name}: {error}") from error
