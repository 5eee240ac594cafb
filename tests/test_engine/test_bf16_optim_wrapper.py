"""Mixed precision: convolutions in bfloat16, scores and everything that is kept in float32."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmseg.apis import init_model
from torch import nn
from utils import IMAGE_SIZE, tiny_config

from fcn_plugin.engine.bf16_optim_wrapper import BF16OptimWrapper, enable_amp


def test_precision_by_layer(tmp_path):
    config = tiny_config(tmp_path, Path("nowhere"), "fcn8s_vgg16_voc", **{"model.neck.dropout_ratio": 0.0})
    model = init_model(str(config), device="cpu")
    inputs: dict[str, tuple[torch.dtype, torch.dtype]] = {}

    def note(name: str):
        return lambda module, args, output: inputs.update({name: (args[0].dtype, output.dtype)})

    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.register_forward_hook(note(name))
    nn.init.ones_(model.decode_head.score_fr.weight)
    wrapper = BF16OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    image = torch.rand(1, 3, *IMAGE_SIZE)
    before = model.neck.fc6.weight.detach().clone()
    with wrapper.optim_context(model):
        loss = model(image).square().mean()
    wrapper.update_params(loss)
    assert len(inputs) == 13 + 2 + 3 + 3
    for name, (given, made) in inputs.items():
        expected = torch.float32 if name.startswith("decode_head") else torch.bfloat16
        assert made == expected, name
        assert given == expected or name == "backbone.conv1_1", name
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert not torch.equal(model.neck.fc6.weight, before)
    assert torch.nn.functional.conv2d(image, torch.ones(1, 3, 1, 1)).dtype == torch.float32  # autocast has ended


@pytest.mark.parametrize("wrapper", [dict(), dict(type="OptimWrapper"), dict(type="BF16OptimWrapper")])
def test_enable_amp(wrapper):
    cfg = Config(dict(optim_wrapper=wrapper))
    enable_amp(cfg)
    assert cfg.optim_wrapper == dict(type="BF16OptimWrapper")
    assert issubclass(BF16OptimWrapper, OptimWrapper)


def test_enable_amp_without_bfloat16(monkeypatch):
    """GPUs without bfloat16 have the toolbox's float16 with loss scaling."""
    monkeypatch.setattr("fcn_plugin.engine.bf16_optim_wrapper.get_device", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    cfg = Config(dict(optim_wrapper=dict(type="OptimWrapper")))
    enable_amp(cfg)
    assert cfg.optim_wrapper == dict(type="AmpOptimWrapper", loss_scale="dynamic")


def test_enable_amp_with_another_wrapper():
    with pytest.raises(ValueError, match="got 'ApexOptimWrapper'"):
        enable_amp(Config(dict(optim_wrapper=dict(type="ApexOptimWrapper"))))
