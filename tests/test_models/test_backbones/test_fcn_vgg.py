import pytest
import torch

from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.paper.peak_memory import PeakMemory
from fcn_plugin.structures.image_features import ImageFeatures


def narrow(**kwargs):
    return FCNVGG(**{"width": 0.05, **kwargs})


@pytest.mark.parametrize("depth, convs", [(11, 8), (13, 10), (16, 13), (19, 16)])
def test_depths(depth, convs):
    net = narrow(depth=depth)
    assert len(net.conv_names) == convs
    assert net.conv_names[0] == "conv1_1"
    assert set(net.state_dict()) == {f"{name}.{p}" for name in net.conv_names for p in ("weight", "bias")}


def test_vgg16_has_the_reference_parameters():
    with torch.device("meta"):
        net = FCNVGG()
    assert sum(p.numel() for p in net.parameters()) == 14_714_688
    assert net.conv5_3.weight.shape == (512, 512, 3, 3)
    assert net.conv1_1.padding == (100, 100) and net.conv1_2.padding == (1, 1)


def test_pools_round_up():
    pools = narrow(out_indices=(0, 1, 2, 3, 4))(torch.zeros(1, 3, 1, 34))
    assert isinstance(pools, ImageFeatures) and pools.image_size == (1, 34)
    # 1 + 2 * 100 - 2 = 199 and 34 + 198 = 232, halved and rounded up five times
    assert [tuple(p.shape[2:]) for p in pools] == [(100, 116), (50, 58), (25, 29), (13, 15), (7, 8)]
    assert [int(m.stride) for m in pools.coord_maps] == [2, 4, 8, 16, 32]


@pytest.mark.parametrize("padding", [0, 1, 100])
def test_cells_respond_where_the_geometry_says(padding):
    """The gradient of a cell of a positive, linear copy of the network is centred on the cell's pixel."""
    net = narrow(padding=padding, out_indices=(2, 3, 4), width=0.02)
    for parameter in net.parameters():
        torch.nn.init.constant_(parameter, 0.1 if parameter.ndim == 4 else 0.0)
    net.pool = torch.nn.AvgPool2d(2, 2, ceil_mode=True)
    image = torch.ones(1, 3, 420, 420, dtype=torch.float64, requires_grad=True)
    for out, coord_map in zip(net.double()(image), [m.coord_map for m in net.feature_maps]):
        cell = round(float((210 - coord_map.offset) / coord_map.stride))
        (grad,) = torch.autograd.grad(out[0, 0, cell, cell], image, retain_graph=True)
        weight = grad[0].sum(0).sum(0)
        centre = (weight * torch.arange(420)).sum() / weight.sum()
        assert float(centre) == pytest.approx(float(coord_map.pixel(cell)), abs=1e-6)


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


def test_pretrained_weights_are_loaded_once_by_the_toolbox(tmp_path):
    """By the segmentor's init_weights, also as the last of several initialisations."""
    file, source = tmp_path / "weights.pth", narrow()
    torch.nn.init.normal_(source.conv1_1.weight)
    torch.save({f"backbone.{key}": value for key, value in source.state_dict().items()}, file)
    pretrained = dict(type="Pretrained", checkpoint=str(file))
    for init_cfg in (pretrained, [dict(type="Kaiming", layer="Conv2d"), pretrained]):
        net = narrow(init_cfg=init_cfg)
        assert net.pretrained == str(file) and not net.is_init
        net.init_weights()
        assert net.is_init and torch.equal(net.conv1_1.weight, source.conv1_1.weight)


def test_frozen_stages_and_norm_eval():
    net = narrow(frozen_stages=2, norm_cfg=dict(type="BN"), norm_eval=True).train()
    trained = {name.split(".")[0] for name, p in net.named_parameters() if p.requires_grad}
    assert trained == {f"{kind}{n}" for n in ("3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1", "5_2", "5_3")
                       for kind in ("conv", "bn")}  # fmt: skip
    before = net.bn5_3.running_mean.clone()
    net(torch.randn(1, 3, 8, 8))
    assert torch.equal(net.bn5_3.running_mean, before)


def test_activation_checkpointing_changes_nothing():
    torch.manual_seed(0)
    net, image = narrow(padding=1).train(), torch.randn(1, 3, 33, 40)
    grads = []
    for net.with_cp in (False, True, (1, 2)):
        net.zero_grad()
        sum(out.square().sum() for out in net(image)).backward()
        grads.append([p.grad.clone() for p in net.parameters()])
    assert any(g.abs().sum() > 0 for g in grads[0])
    for plain, *checkpointed in zip(*grads):
        for other in checkpointed:
            torch.testing.assert_close(plain, other, rtol=0, atol=0)


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
    with pytest.raises(ValueError, match="with_cp must be True, False or numbers of stages from 1 to 5, got "):
        narrow(with_cp=(0, 1))


def test_channels_last_survives_loading():
    net = narrow(padding=1)
    net.load_state_dict({key: value.contiguous() for key, value in net.state_dict().items()})
    assert net.conv3_1.weight.is_contiguous(memory_format=torch.channels_last)
    assert all(out.is_contiguous(memory_format=torch.channels_last) for out in net(torch.randn(2, 3, 64, 64)))


@pytest.mark.parametrize(
    "kwargs, message",
    [
        (dict(depth=18), r"depths \[11, 13, 16, 19\], got 18"),
        (dict(padding=-1), "integer >= 0, got -1"),
        (dict(padding=1.5), "integer >= 0, got 1.5"),
        (dict(out_indices=(5,)), r"got \(5,\)"),
        (dict(out_indices=()), "out_indices"),
        (dict(frozen_stages=6), "got 6"),
        (dict(width=0), "positive, got 0"),
    ],
)
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        narrow(**kwargs)


def test_image_too_small_without_padding():
    with pytest.raises(ValueError, match="padding=0 needs images of 3 pixels or more"):
        narrow(padding=0)(torch.zeros(1, 3, 2, 8))
