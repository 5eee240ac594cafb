"""What an exported file says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from ...checks.weights import model_preprocessing
from ...models.data_preprocessors import BandsDataPreProcessor
from ...version import __version__
from ...weights.preprocessing import preprocessing_of
from ..class_meta import known_class_meta, reduces_zero_label
from .network import ExportableNetwork


def network_metadata(cfg: Config, network: ExportableNetwork, weights_meta: Mapping, sha256: str) -> dict[str, str]:
    """What a user of the file has to know of a network with its config, the ``meta`` of its weights and their hash.

    Returns:
        dict[str, str]: ``input`` and ``output`` in words; ``channel_order``, ``mean`` and ``std`` that the caller has
        to apply; ``classes`` and ``palette``, as far as they are known; ``reduce_zero_label``, with which the files of
        the data set have the first class as 1; ``config``, ``weights_sha256`` and ``fcn_plugin_version``. Lists are in
        JSON.
    """
    preparation = preprocessing_of({} if network.prepares else model_preprocessing(network.model))
    order = {1: "grey", 3: "RGB" if preparation["bgr_to_rgb"] else "BGR"}.get(network.channels, "as read")
    any_values = isinstance(network.model.data_preprocessor, BandsDataPreProcessor)
    values = "values of the files" if any_values else "0..255"
    input_range = values if network.prepares else f"{values}, then (image - mean) / std"
    classes = known_class_meta(network.model.num_classes, cfg, weights_meta)
    return dict(
        input=f"image: float32 (batch, {network.channels}, height, width), {order}, {input_range}",
        output="logits: float32 (batch, classes, height, width)",
        channel_order=order,
        mean=json.dumps(preparation["mean"]),
        std=json.dumps(preparation["std"]),
        **{key: json.dumps(value) for key, value in classes.items()},
        reduce_zero_label=json.dumps(reduces_zero_label(cfg, weights_meta)),
        config=Path(cfg.filename).name,
        weights_sha256=sha256,
        fcn_plugin_version=__version__,
    )
