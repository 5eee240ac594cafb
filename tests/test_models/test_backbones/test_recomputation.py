"""Activation checkpointing: gradients, statistics and random numbers as without it."""

import copy

import pytest
import torch
from torch import Tensor, nn

from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.models.backbones.recomputation import buffers_kept, recomputed


def train_step(net: nn.Module, *images: Tensor) -> dict[str, Tensor]:
    """Statistics and gradients behind a backward pass of the sum of several forward passes."""
    net.zero_grad()
    torch.manual_seed(1)
    outs = [net(image) for image in images]
    sum(out.square().sum() for maps in outs for out in (maps if isinstance(maps, tuple) else [maps])).backward()
    return {**net.state_dict(), **{f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}}


@pytest.mark.parametrize("with_cp", [True, (2, 3)])
@pytest.mark.parametrize(
    "norm", [dict(type="BN"), dict(type="BN", momentum=None), dict(type="IN", track_running_stats=True)]
)
@pytest.mark.parametrize("settings", [{}, dict(frozen_stages=2), dict(norm_eval=True)], ids=str)
def test_statistics_of_a_backbone(norm, with_cp, settings):
    torch.manual_seed(0)
    plain = FCNVGG(depth=11, padding=1, width=0.05, norm_cfg=norm, **settings).train()
    other = copy.deepcopy(plain)
    other.with_cp = with_cp
    images = torch.randn(2, 3, 48, 48), 3 * torch.randn(2, 3, 32, 40)
    for _ in range(2):
        expected, actual = train_step(plain, *images), train_step(other, *images)
        assert expected.keys() == actual.keys()
        for key, value in expected.items():
            assert torch.equal(actual[key], value), key
    moved = settings.get("norm_eval") is None or norm["type"] == "IN"
    assert (expected["bn5_2.running_mean"] != 0).any() == moved
    if norm["type"] == "BN":
        assert expected["bn5_2.num_batches_tracked"] == (4 if moved else 0)


class Noisy(nn.Module):
    """With dropout and a norm layer, checkpointed."""

    def __init__(self, again: bool) -> None:
        super().__init__()
        self.again = again
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Dropout2d(0.5), nn.BatchNorm2d(8), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return recomputed(self.layers, x, self) if self.again else self.layers(x)


def test_dropout():
    torch.manual_seed(0)
    plain, other = Noisy(False).train(), Noisy(True).train()
    other.load_state_dict(plain.state_dict())
    image = torch.randn(2, 3, 16, 16)
    expected, actual = train_step(plain, image), train_step(other, image)
    assert expected.keys() == actual.keys() and expected["layers.2.num_batches_tracked"] == 1
    for key, value in expected.items():
        assert torch.equal(actual[key], value), key


def test_buffers_come_back_behind_an_error():
    net = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm2d(2, track_running_stats=False)).train()
    before = dict(net.named_buffers())
    with pytest.raises(KeyError), buffers_kept(net):
        net(torch.randn(2, 2, 3, 3))
        assert net[0].num_batches_tracked == 1
        raise KeyError
    after = dict(net.named_buffers())
    assert after.keys() == before.keys() and all(after[name] is before[name] for name in before)
    assert net[0].num_batches_tracked == 0 and (net[0].running_mean == 0).all()
