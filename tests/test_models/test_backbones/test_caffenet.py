import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from fcn_plugin import config_dir
from fcn_plugin.geometry import CoordMap
from fcn_plugin.models.backbones import FCNVGG, CaffeNet
from fcn_plugin.models.decode_heads import FCN8sHead
from fcn_plugin.models.layers import ResponseNorm
from fcn_plugin.models.necks import FCConvNeck


def narrow(**kwargs):
    return CaffeNet(**{"width": 0.02, **kwargs})


def segmentor(padding=100, width=0.02, head="FCN32sHead", **neck):
    """FCN-AlexNet of few channels with random scores, float64."""
    backbone = dict(type="CaffeNet", padding=padding, width=width, out_indices=(0, 1, 2) if "8s" in head else (2,))
    channels = CaffeNet(padding, width=width).feature_maps[-1].channels
    neck = dict(type="FCConvNeck", in_channels=channels, channels=5, fc6_kernel=6, **neck)
    init_default_scope("mmseg")
    head = dict(type=head, num_classes=3)
    model = MODELS.build(dict(type="AlignedEncoderDecoder", backbone=backbone, neck=neck, decode_head=head))
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            scale = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim == 4 else 0.1
            torch.nn.init.normal_(parameter, 0, scale)
    return model.double().eval()


def test_the_reference_parameters():
    with torch.device("meta"):
        net = CaffeNet()
    assert {name: tuple(p.shape) for name, p in net.named_parameters() if p.ndim == 4} == {
        "conv1.weight": (96, 3, 11, 11),
        "conv2.weight": (256, 48, 5, 5),
        "conv3.weight": (384, 256, 3, 3),
        "conv4.weight": (384, 192, 3, 3),
        "conv5.weight": (256, 192, 3, 3),
    }
    assert set(net.state_dict()) == {f"conv{i}.{p}" for i in range(1, 6) for p in ("weight", "bias")}
    assert sum(p.numel() for p in net.parameters()) == 2_334_080
    assert [m.channels for m in net.feature_maps] == [256]
    assert [m.channels for m in CaffeNet(out_indices=(0, 1, 2)).feature_maps] == [96, 256, 256]


@pytest.mark.parametrize(
    "config, backbone, kernel, millions, field",
    [("fcn_caffenet", CaffeNet, 6, 57, 355), ("fcn_vgg16", FCNVGG, 7, 134, 404)],
)
def test_published_facts(config, backbone, kernel, millions, field):
    """Table 1 of the paper: parameters, receptive field and largest stride, here of the networks themselves."""
    init_default_scope("mmseg")
    with torch.device("meta"):
        model = MODELS.build(Config.fromfile(config_dir() / f"_base_/models/{config}.py").model)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6) == millions
    assert model.decode_head.feature_maps[-1].stride == 32

    net = backbone(width=0.02)
    neck = FCConvNeck(net.feature_maps[-1].channels, 1, kernel).eval()
    for parameter in (*net.parameters(), *neck.parameters()):
        torch.nn.init.constant_(parameter, 1.0 if parameter.ndim == 4 else 0.0)
    # each cell is a positive sum of all that it sees
    net.pool = torch.nn.AvgPool2d(net.pool.kernel_size, net.pool.stride, ceil_mode=True)
    net.norm = torch.nn.Identity()
    image = torch.ones(1, 3, 480, 480, dtype=torch.float64, requires_grad=True)
    fc7 = neck.double()(net.double()(image))[-1]
    cell = fc7.shape[2] // 2
    (grad,) = torch.autograd.grad(fc7[0, 0, cell, cell], image)
    seen = grad[0, 0].nonzero()
    assert (seen.amin(0) > 0).all() and (seen.amax(0) < 479).all()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [field, field]


def caffe_pools(size, padding):
    """Caffe's formulas for the sizes of pool1, pool2 and pool5."""
    size = (size + 2 * padding - 11) // 4 + 1
    sizes = []
    for _ in range(3):
        size = math.ceil((size - 3) / 2) + 1
        sizes.append(size)
    return sizes


@pytest.mark.parametrize("padding, first", [(100, 1), (0, 39)])
def test_sizes_are_those_of_caffe(padding, first):
    net = narrow(padding=padding, out_indices=(0, 1, 2)).requires_grad_(False)
    for height in range(first, 300):
        width = first + height * 61 % 300
        pools = net(torch.zeros(1, 3, height, width))
        expected = list(zip(caffe_pools(height, padding), caffe_pools(width, padding)))
        assert [tuple(p.shape[2:]) for p in pools] == expected
        assert pools.image_size == (height, width)
    assert [int(m.stride) for m in pools.coord_maps] == [8, 16, 32]


@pytest.mark.parametrize("padding, least", [(0, 39), (1, 37), (19, 1), (100, 1)])
def test_least_size(padding, least):
    net = narrow(padding=padding)
    assert net.least_size == least
    assert net(torch.zeros(1, 3, least, least + 1))[0].shape[2:] == (caffe_pools(least, padding)[-1],) * 2
    if least > 1:
        with pytest.raises(ValueError, match=rf"padding={padding} needs images of {least} pixels .*larger padding"):
            net(torch.zeros(1, 3, least - 1, least))


def test_response_norm_by_hand():
    torch.manual_seed(0)
    x = 100 * torch.randn(2, 7, 3, 4, dtype=torch.float64)
    out = narrow().norm(x)
    for channel in range(7):
        squares = sum(x[:, c] ** 2 for c in range(max(0, channel - 2), min(7, channel + 3)))
        expected = x[:, channel] / (1 + 1e-4 / 5 * squares) ** 0.75
        torch.testing.assert_close(out[:, channel], expected)
    assert out.dtype == x.dtype and not torch.allclose(out, x, rtol=0.1)


@pytest.mark.parametrize("dtype, rtol", [(torch.float16, 1e-3), (torch.bfloat16, 1e-2)])
def test_response_norm_in_half_precision(dtype, rtol):
    """Squares beyond float16's 65504 do not overflow."""
    x = (torch.rand(1, 8, 3, 3) * 900).to(dtype)
    norm = ResponseNorm(5)
    with torch.autocast("cpu", torch.bfloat16):
        out = norm(x)
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), norm(x.float()), rtol=rtol, atol=0)


@pytest.mark.parametrize("padding", [0, 19, 100])
def test_cells_respond_where_the_geometry_says(padding):
    """The gradient of a cell of a positive, linear copy of the network is centred on the cell's pixel."""
    net = narrow(padding=padding, out_indices=(0, 1, 2))
    for parameter in net.parameters():
        torch.nn.init.constant_(parameter, 0.1 if parameter.ndim == 4 else 0.0)
    net.pool, net.norm = torch.nn.AvgPool2d(3, 2, ceil_mode=True), torch.nn.Identity()
    image = torch.ones(1, 3, 420, 420, dtype=torch.float64, requires_grad=True)
    for out, coord_map in zip(net.double()(image), [m.coord_map for m in net.feature_maps]):
        cell = round(float((210 - coord_map.offset) / coord_map.stride))
        (grad,) = torch.autograd.grad(out[0, 0, cell, cell + 1], image, retain_graph=True)
        weight = grad[0].sum(0)
        for axis, place in enumerate((cell, cell + 1)):
            centre = (weight.sum(1 - axis) * torch.arange(420)).sum() / weight.sum()
            assert float(centre) == pytest.approx(float(coord_map.pixel(place)), abs=1e-6)


def test_the_head_derives_the_reference_kernel_and_crop():
    head = segmentor().decode_head
    (step,) = head.steps
    assert (step.factor, step.kernel, step.crop_upsampled) == (32, 63, 18)
    assert head.upscore.weight.shape == (3, 1, 63, 63) and head.border == "zeros"


# every height from 1 to 140, with widths in another order
SIZES = [(size, 1 + size * 61 % 140) for size in range(1, 141)]


@pytest.mark.parametrize("head", ["FCN32sHead", "FCN8sHead"])
def test_logits_have_the_size_of_the_image(head):
    assert {s for size in SIZES for s in size} == set(range(1, 141))
    model = segmentor(head=head).float()
    with torch.no_grad():
        for height, width in SIZES:
            assert model(torch.randn(1, 3, height, width), mode="tensor").shape == (1, 3, height, width)


def test_evidence_shows_at_its_pixel_through_all_skips():
    """One unit of score in a cell of each map shows in the logits around that cell's pixel."""
    model = segmentor(head="FCN8sHead")
    head, coord_maps = model.decode_head, model.decode_head.feature_maps
    assert isinstance(head, FCN8sHead)
    assert coord_maps == (CoordMap(8, -91), CoordMap(16, -83), CoordMap(32, 13))
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 160, 160, dtype=torch.float64))
        for name in head.score_names:
            getattr(head, name).weight.fill_(1)
            getattr(head, name).bias.zero_()
        for evidence, coord_map in zip(features, coord_maps):
            for feature in features:
                feature.zero_()
            cell = round(float((80 - coord_map.offset) / coord_map.stride))
            evidence[0, 0, cell, cell + 1] = 1
            logits = head(features)[0, 1]
            for axis, place in enumerate((cell, cell + 1)):
                centre = (logits.sum(1 - axis) * torch.arange(160)).sum() / logits.sum()
                assert float(centre) == pytest.approx(float(coord_map.pixel(place)), abs=1e-5)


def fcn_alexnet(weights, image):
    """The reference network, written down from ``voc-fcn-alexnet/net.py`` layer by layer."""

    def conv(name, x, **kwargs):
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **kwargs)

    def pool(x):
        height, width = (2 * (math.ceil((n - 3) / 2)) + 3 - n for n in x.shape[2:])
        return F.max_pool2d(F.pad(x, (0, width, 0, height), value=-torch.inf), 3, 2)

    def norm(x):
        squares = F.pad(x**2, (0, 0, 0, 0, 2, 2))
        total = sum(squares[:, i : i + x.shape[1]] for i in range(5))
        return x / (1 + 1e-4 / 5 * total) ** 0.75

    x = norm(pool(conv("backbone.conv1", image, stride=4, padding=100).relu()))
    x = norm(pool(conv("backbone.conv2", x, padding=2, groups=2).relu()))
    x = conv("backbone.conv3", x, padding=1).relu()
    x = conv("backbone.conv4", x, padding=1, groups=2).relu()
    x = pool(conv("backbone.conv5", x, padding=1, groups=2).relu())
    x = conv("neck.fc7", conv("neck.fc6", x).relu()).relu()
    score = conv("decode_head.score_fr", x)
    ramp = 1 - (torch.arange(63, dtype=score.dtype) - 31).abs() / 32
    kernel = torch.outer(ramp, ramp).expand(score.shape[1], 1, 63, 63)
    upscore = F.conv_transpose2d(score, kernel, stride=32, groups=score.shape[1])
    return upscore[:, :, 18 : 18 + image.shape[2], 18 : 18 + image.shape[3]]


@pytest.mark.parametrize("size", [(1, 1), (60, 97), (227, 131)])
def test_logits_and_gradients_equal_the_reference(size):
    model = segmentor(width=0.1)
    image = 100 * torch.randn(2, 3, *size, dtype=torch.float64)
    logits = model(image, mode="tensor")
    weights = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    expected = fcn_alexnet(weights, image)
    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected)
    for output in (logits, expected):
        output.sin().sum().backward()
    trained = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    assert len(trained) == 16 and all(grad.abs().sum() > 0 for grad in trained.values())
    for name, grad in trained.items():
        torch.testing.assert_close(grad, weights[name].grad, msg=lambda text, name=name: f"{name}: {text}")


def test_pretrained_weights_load_by_name(tmp_path):
    torch.manual_seed(1)
    source = {key: torch.randn_like(value) for key, value in narrow().state_dict().items()}
    file = tmp_path / "caffenet.pth"
    torch.save({**source, "fc6.weight": torch.zeros(2, 6 * 36), "fc8.bias": torch.zeros(3)}, file)
    pretrained = dict(type="Pretrained", checkpoint=str(file))
    net = narrow(init_cfg=pretrained)
    net.init_weights()
    assert all(torch.equal(value, source[key]) for key, value in net.state_dict().items())
    del source["conv3.bias"]
    torch.save(source, file)
    with pytest.raises(ValueError, match="CaffeNet.*missing: conv3.bias"):
        narrow(init_cfg=pretrained).init_weights()


@pytest.mark.parametrize("frozen, trained", [(-1, "12345"), (0, "12345"), (2, "345"), (5, "")])
def test_frozen_convolutions(frozen, trained):
    net = narrow(frozen_stages=frozen).train()
    assert {name for name, p in net.named_parameters() if p.requires_grad} == {
        f"conv{i}.{p}" for i in trained for p in ("weight", "bias")
    }
    assert {i for i in "12345" if getattr(net, f"conv{i}").training} == set(trained)


def test_activation_checkpointing_changes_nothing():
    torch.manual_seed(0)
    net, image = narrow(out_indices=(0, 2)).train(), torch.randn(1, 3, 33, 40)
    grads = []
    for net.with_cp in (False, True):
        net.zero_grad()
        sum(out.square().sum() for out in net(image)).backward()
        grads.append([p.grad.clone() for p in net.parameters()])
    assert all(g.abs().sum() > 0 for g in grads[0])
    for plain, checkpointed in zip(*grads):
        torch.testing.assert_close(plain, checkpointed, rtol=0, atol=0)


def test_channels_last_survives_loading():
    net = narrow(out_indices=(0, 1, 2), width=0.05)
    net.load_state_dict({key: value.contiguous() for key, value in net.state_dict().items()})
    assert net.conv3.weight.is_contiguous(memory_format=torch.channels_last)
    assert all(out.is_contiguous(memory_format=torch.channels_last) for out in net(torch.randn(2, 3, 64, 64)))


@pytest.mark.parametrize("width", [0.001, 0.02, 0.33, 1.0])
def test_groups_divide_any_width(width):
    with torch.device("meta"):
        net = CaffeNet(width=width)
    assert net.conv5.out_channels == net.feature_maps[0].channels == max(2, 2 * round(128 * width))


@pytest.mark.parametrize(
    "kwargs, message",
    [
        (dict(padding=-1), "integer >= 0, got -1"),
        (dict(padding=1.5), "integer >= 0, got 1.5"),
        (dict(out_indices=(3,)), r"2 \(pool5\), got \(3,\)"),
        (dict(out_indices=()), "out_indices"),
        (dict(frozen_stages=6), "-1 to 5, got 6"),
        (dict(width=0), "positive, got 0"),
    ],
)
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        narrow(**kwargs)
