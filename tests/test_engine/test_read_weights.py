"""Weights as the runner of a stage reads them, to start from and to go on from."""

import pytest
import torch

from fcn_plugin.engine.stage_runner import read_weights

NAMES = ["backbone.conv1_1.weight", "auxiliary_head.0.conv_seg.weight", "decode_head.score_fr.weight"]
WEIGHTS = {name: torch.full((1,), index + 1.0) for index, name in enumerate(NAMES)}
WRAPPED = [
    {f"module.{name}": value for name, value in WEIGHTS.items()},
    {f"_orig_mod.module.{name}": value for name, value in WEIGHTS.items()},
    {name.replace(".", "._orig_mod.", 1): value for name, value in WEIGHTS.items()},
]


@pytest.mark.parametrize("with_training", [False, True])
@pytest.mark.parametrize("tensors", WRAPPED)
def test_names_that_wrappers_have_prefixed(tensors, with_training, tmp_path):
    averaged = {f"module.{name}": value + 9 for name, value in tensors.items()}
    for content in (
        tensors,
        dict(state_dict=tensors, meta={}),
        dict(model_state_dict=tensors),
        dict(state_dict=tensors, ema_state_dict=averaged),
    ):
        torch.save(content, tmp_path / "a.pth")
        assert read_weights(str(tmp_path / "a.pth"), with_training)["state_dict"] == WEIGHTS
