"""The stages of the shipped configs for drawn shapes, with narrow networks."""

from __future__ import annotations

from pathlib import Path

from .utils import POOL3, POOL4, POOL5, ROOT, WIDTH

FC7 = 8
CHANNELS = {"fcn32s": [FC7], "fcn16s": [POOL4, FC7], "fcn8s": [POOL3, POOL4, FC7]}


def narrow_stages(folder: Path, text: str = "") -> Path:
    """Write the configs of the three stages; returns the last one's path.

    Args:
        folder (Path): where to write them.
        text (str): further settings, for each of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    extractor = f"backbone=dict(width={WIDTH}), neck=dict(in_channels={POOL5}, channels={FC7})"
    for earlier, (model, channels) in zip((None, *CHANNELS), CHANNELS.items()):
        path = folder / f"{model}_narrow.py"
        chain = f"earlier_stage = '{folder / earlier}_narrow.py'\n" if earlier else ""
        head = f"decode_head=dict(in_channels={channels})"
        base = f"_base_ = '{ROOT}/configs/{model}_vgg16_shapes.py'\n"
        path.write_text(f"{base}model = dict({extractor}, {head})\n{chain}{text}")
    return path
