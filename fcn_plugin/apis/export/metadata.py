"""What an exported file says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from mmseg.registry import DATASETS

from ...utils.config import DATALOADERS, leaf_datasets
from ...version import __version__
from ...weights.preprocessing import preprocessing_of
from .network import ExportableNetwork


def network_metadata(cfg: Config, network: ExportableNetwork, checkpoint: Mapping, sha256: str) -> dict[str, str]:
    """What a user of the file has to know: its input, its classes, and where it is from.

    Args:
        cfg (Config): of the network.
        network (ExportableNetwork): the network.
        checkpoint (Mapping): its weights and their ``meta``.
        sha256 (str): of the file of the weights.

    Returns:
        dict[str, str]: ``input`` and ``output`` in words; ``channel_order``, ``mean`` and ``std`` that the caller has
            to apply; ``classes`` and ``palette``, as far as they are known; ``config``, ``weights_sha256`` and
            ``fcn_plugin_version``. Lists are in JSON.
    """
    preparation = preprocessing_of({} if network.prepares else cfg.model.get("data_preprocessor") or {})
    order = "RGB" if preparation["bgr_to_rgb"] else "BGR"
    input_range = "0..255" if network.prepares else "0..255, then (image - mean) / std"
    num_classes = network.model.decode_head.num_classes
    return dict(
        input=f"image: float32 (batch, {network.channels}, height, width), {order}, {input_range}",
        output="logits: float32 (batch, classes, height, width)",
        channel_order=order,
        mean=json.dumps(preparation["mean"]),
        std=json.dumps(preparation["std"]),
        **{key: json.dumps(value) for key, value in classes_and_palette(cfg, checkpoint, num_classes).items()},
        config=Path(cfg.filename).name,
        weights_sha256=sha256,
        fcn_plugin_version=__version__,
    )


def classes_and_palette(cfg: Config, checkpoint: Mapping, num_classes: int) -> dict[str, list]:
    """Names and RGB colours of the classes: those that the checkpoint was trained with, or of the config's data sets.

    Returns:
        dict[str, list]: ``classes`` and ``palette``; without what is not known, or is not for ``num_classes``.
    """
    sources = [checkpoint["meta"].get("dataset_meta") or {}]
    for name in reversed(DATALOADERS):
        for dataset in leaf_datasets((cfg.get(name) or {}).get("dataset") or {}):
            known = getattr(DATASETS.get(dataset["type"]), "METAINFO", {}) if "type" in dataset else {}
            sources.append({**known, **(dataset.get("metainfo") or {})})
    for source in sources:
        if len(source.get("classes") or ()) == num_classes:
            found = {key: source.get(key) or () for key in ("classes", "palette")}
            return {key: list(value) for key, value in found.items() if len(value) == num_classes}
    return {}
