import pytest
import torch

from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.paper.peak_memory import PeakMemory


def narrow(**kwargs):
    return FCNVGG(**{"width": 0.05, **kwargs})


@pytest.mark.parametrize("depth, convs", [(11, 8), (13, 10), (16, 13), (19, 16)])
def test_depths(depth, convs):
    net = narrow(depth=depth)
    assert len(net.conv_names) == convs
    assert net.conv_names[0] == "conv1_1"
    assert set(net.state_dict()) == {f"{name}.{p}" for name in net.conv_names for p in ("weight", "bias")}
    with pytest.raises(ValueError, match=r"depths \[11, 13, 16, 19\], got 18"):
        narrow(depth=18)


def test_pretrained_checkpoint_without_the_weights_is_refused(tmp_path):
    file = tmp_path / "other.pth"
    torch.save({"layer1.0.weight": torch.zeros(1)}, file)
    net = narrow(init_cfg=dict(type="Pretrained", checkpoint=str(file)))
    with pytest.raises(ValueError, match="holds layer1.0.weight: expected the names of torchvision VGG or mmpretrain"):
        net.init_weights()


@pytest.mark.parametrize(
    "other, message",
    [
        (dict(depth=19), r"FCNVGG \(unknown: conv3_4.weight, .* and 2 more; it has: backbone.conv1_1"),
        (dict(depth=13), r"FCNVGG \(missing: conv3_3.weight"),
        (dict(norm_cfg=dict(type="BN")), r"unknown: bn1_1.weight"),
        (dict(width=0.1), r"of another shape: conv1_1.weight \(6, 3, 3, 3\) for \(\d, 3, 3, 3\)"),
    ],
)
def test_pretrained_checkpoint_that_does_not_fit_is_refused(other, message, tmp_path):
    """Of another depth, with or without BatchNorm, or of another width."""
    file = tmp_path / "other.pth"
    torch.save({f"backbone.{key}": value for key, value in narrow(**other).state_dict().items()}, file)
    with pytest.raises(ValueError, match=message):
        narrow(init_cfg=dict(type="Pretrained", checkpoint=str(file))).init_weights()


def test_frozen_norms_and_norm_eval():
    net = narrow(frozen_stages=2, norm_cfg=dict(type="BN"), norm_eval=True).train()
    trained = {name.split(".")[0] for name, p in net.named_parameters() if p.requires_grad}
    assert trained == {f"{kind}{n}" for n in ("3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1", "5_2", "5_3")
                       for kind in ("conv", "bn")}  # fmt: skip
    before = net.bn5_3.running_mean.clone()
    net(torch.randn(1, 3, 8, 8))
    assert torch.equal(net.bn5_3.running_mean, before)


def test_what_a_training_step_keeps():
    """Of each stage its maps before the pooling, but not the places of the maxima (int64); less with checkpointing."""
    image, peaks = torch.randn(1, 3, 64, 64), {}
    for with_cp in (False, (2, 1), True):
        net = narrow(padding=1, with_cp=with_cp).train()
        with PeakMemory() as memory:
            out = net(image)[-1]
            peaks[with_cp] = memory.current
        del out
    floats = sum(c * n * (64 >> i) ** 2 for i, (c, n) in enumerate([(3, 2), (6, 2), (13, 3), (26, 3), (26, 3)]))
    pooled = sum(c * (32 >> i) ** 2 for i, c in enumerate([3, 6, 13, 26, 26]))
    assert 4 * floats < peaks[False] < 4 * (floats + 1.5 * pooled)
    assert peaks[True] < peaks[2, 1] < 0.6 * peaks[False]
