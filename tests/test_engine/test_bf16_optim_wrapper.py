"""Mixed precision: convolutions in bfloat16, scores and everything that is kept in float32."""

from pathlib import Path

import torch
from mmseg.apis import init_model
from testing.utils import IMAGE_SIZE, tiny_config
from torch import nn

from fcn_plugin.engine.bf16_optim_wrapper import BF16OptimWrapper


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
