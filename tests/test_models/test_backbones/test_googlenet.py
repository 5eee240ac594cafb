import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from testing.weight_files import BRANCHES, INCEPTIONS
from torch import nn

from fcn_plugin import config_dir
from fcn_plugin.geometry.skip_steps import skip_steps
from fcn_plugin.models.backbones import GoogLeNet
from fcn_plugin.models.decode_heads import FCN8sHead
from fcn_plugin.structures.image_features import ImageFeatures


def narrow(**kwargs):
    return GoogLeNet(**{"width": 0.02, **kwargs})


def segmentor(padding=100, width=0.02, head="FCN32sHead", **kwargs):
    """FCN-GoogLeNet of few channels with random scores, float64."""
    out_indices = {"FCN32sHead": (4,), "FCN16sHead": (2, 4), "FCN8sHead": (1, 2, 4)}[head]
    backbone = dict(type="GoogLeNet", padding=padding, width=width, out_indices=out_indices, **kwargs)
    init_default_scope("mmseg")
    head = dict(type=head, num_classes=3)
    model = MODELS.build(dict(type="AlignedEncoderDecoder", backbone=backbone, decode_head=head))
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            scale = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim == 4 else 0.1
            nn.init.normal_(parameter, 0, scale)
    return model.double().eval()


def test_the_reference_parameters():
    with torch.device("meta"):
        net = GoogLeNet()
    expected = dict(conv1_7x7_s2=(64, 3, 7), conv2_3x3_reduce=(64, 64, 1), conv2_3x3=(192, 64, 3))
    channels = 192
    for name, numbers in INCEPTIONS.items():
        planes = dict(zip(BRANCHES, numbers))
        inputs = {"3x3": planes["3x3_reduce"], "5x5": planes["5x5_reduce"]}
        for branch in BRANCHES:
            kernel = int(branch[0]) if branch in inputs else 1
            expected[f"inception_{name}.{branch}"] = (planes[branch], inputs.get(branch, channels), kernel)
        channels = sum(planes[branch] for branch in ("1x1", "3x3", "5x5", "pool_proj"))
    assert len(expected) == 57
    shapes = {key.removesuffix(".weight"): (*p.shape[:3],) for key, p in net.named_parameters() if p.ndim == 4}
    assert shapes == expected
    assert {key for key in net.state_dict()} == {f"{name}.{p}" for name in expected for p in ("weight", "bias")}
    # with the classifier's 1024 x 1000 weights and 1000 biases: 6,998,552
    assert sum(p.numel() for p in net.parameters()) == 5_973_552 == 6_998_552 - 1_025_000
    assert [m.channels for m in net.feature_maps] == [1024]
    maps = narrow(width=1, out_indices=(0, 1, 2, 3, 4)).feature_maps
    assert [m.channels for m in maps] == [64, 192, 480, 832, 1024]


def test_published_facts():
    """Table 1 of the paper: 6 million parameters, a receptive field of 907 pixels, largest stride 32.

    The field is that of the classifier, whose 7x7 average pooling the paper leaves out.
    """
    init_default_scope("mmseg")
    with torch.device("meta"):
        model = MODELS.build(Config.fromfile(config_dir() / "_base_/models/fcn_googlenet.py").model)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6) == 6
    assert not model.with_neck and model.backbone.dropout.p == 0.4
    (inception_5b,) = model.decode_head.feature_maps
    assert inception_5b.stride == 32
    assert inception_5b.conv(7).size == 907 and inception_5b.size == 715


def test_recipe():
    """That of the paper's section 4.3, with the rate of FCN-GoogLeNet."""
    if not (config_dir() / "_base_/schedules/cvpr_100k.py").is_file():
        pytest.skip("there is no CVPR schedule")
    cfg = Config.fromfile(config_dir() / "fcn32s_googlenet_cvpr_sbd.py")
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum, optimizer.weight_decay) == ("SGD", 5e-5, 0.9, 5e-4)
    assert cfg.train_dataloader.batch_size == 20 and cfg.model.backbone.padding == 100
    assert cfg.model.neck is None and cfg.model.decode_head.type == "FCN32sHead"
    assert cfg.model.data_preprocessor.mean == [104.00699, 116.66877, 122.67892]
    assert cfg.model.backbone.init_cfg.checkpoint.endswith("bvlc_googlenet.caffemodel")


def linear(net):
    """A copy in which each cell is a positive sum of all that it sees."""
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.1 if parameter.ndim == 4 else 0.0)
    net.pool, net.norm = nn.AvgPool2d(3, 2, ceil_mode=True), nn.Identity()
    for module in net.children():
        if hasattr(module, "pool_proj"):
            module.pool = nn.AvgPool2d(3, 1, padding=1)
    return net.double().eval()


def test_receptive_field_of_the_network_itself():
    net = linear(narrow(width=0.001, padding=3))
    image = torch.ones(1, 3, 780, 780, dtype=torch.float64, requires_grad=True)
    (out,) = net(image)
    cell = out.shape[2] // 2
    (grad,) = torch.autograd.grad(out[0, :, cell, cell].sum(), image)  # of all branches
    seen = grad[0, 0].nonzero()
    coord_map = net.feature_maps[0].coord_map
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [coord_map.size] * 2 == [715] * 2
    assert (seen.amax(0) + seen.amin(0)).tolist() == [2 * coord_map.pixel(cell)] * 2


def caffe_sizes(size, padding):
    """Caffe's formulas for the sizes of pool1 to pool4, and of inception_5b, which is as large as pool4."""
    size = (size + 2 * padding - 7) // 2 + 1
    sizes = []
    for _ in range(4):
        size = math.ceil((size - 3) / 2) + 1
        sizes.append(size)
    return [*sizes, size]


@pytest.mark.parametrize("padding, first", [(100, 1), (3, 31)])
def test_sizes_are_those_of_caffe(padding, first):
    net = narrow(padding=padding, out_indices=(0, 1, 2, 3, 4), width=0.001).requires_grad_(False)
    for height in range(first, first + 70):
        width = first + height * 61 % 200
        maps = net(torch.zeros(1, 3, height, width))
        assert isinstance(maps, ImageFeatures) and maps.image_size == (height, width)
        expected = list(zip(caffe_sizes(height, padding), caffe_sizes(width, padding)))
        assert [tuple(m.shape[2:]) for m in maps] == expected
    assert [int(m.stride) for m in maps.coord_maps] == [4, 8, 16, 32, 32]


@pytest.mark.parametrize("padding, least", [(0, 37), (3, 31), (17, 3), (18, 1), (100, 1)])
def test_least_size(padding, least):
    net = narrow(padding=padding)
    assert net.least_size == least
    assert net(torch.zeros(1, 3, least, least + 1))[0].shape[2:] == (caffe_sizes(least, padding)[-1],) * 2
    if least > 1:
        with pytest.raises(ValueError, match=rf"padding={padding} needs images of {least} pixels .*larger padding"):
            net(torch.zeros(1, 3, least - 1, least))


@pytest.mark.parametrize("padding", [3, 100])
def test_cells_respond_where_the_geometry_says(padding):
    """The gradient of a cell of a positive, linear copy of the network is centred on the cell's pixel."""
    net = linear(narrow(padding=padding, out_indices=(0, 1, 2, 3), width=0.001))
    image = torch.ones(1, 3, 560, 560, dtype=torch.float64, requires_grad=True)
    for out, coord_map in zip(net(image), [m.coord_map for m in net.feature_maps]):
        cell = round(float((280 - coord_map.offset) / coord_map.stride))
        (grad,) = torch.autograd.grad(out[0, 0, cell, cell + 1], image, retain_graph=True)
        for axis, place in enumerate((cell, cell + 1)):
            weight = grad[0].sum(0).sum(1 - axis)
            centre = (weight * torch.arange(560)).sum() / weight.sum()
            assert float(centre) == pytest.approx(float(coord_map.pixel(place)), abs=1e-6)


@pytest.mark.parametrize("padding, kernel, crop", [(100, 63, 98), (18, 63, 16), (3, 63, 1)])
def test_kernel_and_crop_of_the_head(padding, kernel, crop):
    (step,) = skip_steps([narrow(padding=padding).feature_maps[0].coord_map])
    assert (step.factor, step.kernel, step.crop_upsampled) == (32, kernel, crop)


@pytest.mark.parametrize("head", ["FCN32sHead", "FCN8sHead"])
@pytest.mark.parametrize("padding, first", [(100, 1), (18, 1), (3, 31)])
def test_logits_have_the_size_of_the_image(head, padding, first):
    """All heights and widths of two periods of the stride."""
    model = segmentor(padding, 0.001, head).float()
    sizes = [(first + i, first + i * 37 % 64) for i in range(64)]
    assert len({width for _, width in sizes}) == 64
    with torch.no_grad():
        for height, width in sizes:
            assert model(torch.randn(1, 3, height, width), mode="tensor").shape == (1, 3, height, width)


def test_evidence_shows_at_its_pixel_through_all_skips():
    """One unit of score in a cell of each map shows in the logits around that cell's pixel."""
    model = segmentor(head="FCN8sHead")
    head = model.decode_head
    assert isinstance(head, FCN8sHead) and [int(m.stride) for m in head.feature_maps] == [8, 16, 32]
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 160, 160, dtype=torch.float64))
        for name in head.score_names:
            getattr(head, name).weight.fill_(1)
            getattr(head, name).bias.zero_()
        for evidence, coord_map in zip(features, head.feature_maps):
            for feature in features:
                feature.zero_()
            cell = round(float((80 - coord_map.offset) / coord_map.stride))
            evidence[0, 0, cell, cell + 1] = 1
            logits = head(features)[0, 1]
            for axis, place in enumerate((cell, cell + 1)):
                centre = (logits.sum(1 - axis) * torch.arange(160)).sum() / logits.sum()
                assert float(centre) == pytest.approx(float(coord_map.pixel(place)), abs=1e-5)


def fcn_googlenet(weights, image):
    """The network, written down from ``bvlc_googlenet/train_val.prototxt`` layer by layer, and FCN-32s on it."""

    def conv(name, x, **kwargs):
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **kwargs)

    def pool(x):
        height, width = (2 * (math.ceil((n - 3) / 2)) + 3 - n for n in x.shape[2:])
        return F.max_pool2d(F.pad(x, (0, width, 0, height), value=-torch.inf), 3, 2)

    def norm(x):
        squares = F.pad(x**2, (0, 0, 0, 0, 2, 2))
        total = sum(squares[:, i : i + x.shape[1]] for i in range(5))
        return x / (1 + 1e-4 / 5 * total) ** 0.75

    def inception(name, x):
        name = f"backbone.inception_{name}"
        pooled = F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), 3, 1)
        branches = (
            conv(f"{name}.1x1", x),
            conv(f"{name}.3x3", conv(f"{name}.3x3_reduce", x).relu(), padding=1),
            conv(f"{name}.5x5", conv(f"{name}.5x5_reduce", x).relu(), padding=2),
            conv(f"{name}.pool_proj", pooled),
        )
        return torch.cat(branches, 1).relu()

    x = norm(pool(conv("backbone.conv1_7x7_s2", image, stride=2, padding=100).relu()))
    x = conv("backbone.conv2_3x3", conv("backbone.conv2_3x3_reduce", x).relu(), padding=1).relu()
    x = pool(norm(x))
    x = pool(inception("3b", inception("3a", x)))
    for name in ("4a", "4b", "4c", "4d", "4e"):
        x = inception(name, x)
    x = inception("5b", inception("5a", pool(x)))
    score = conv("decode_head.score_fr", x)
    ramp = 1 - (torch.arange(63, dtype=score.dtype) - 31).abs() / 32
    kernel = torch.outer(ramp, ramp).expand(score.shape[1], 1, 63, 63)
    upscore = F.conv_transpose2d(score, kernel, stride=32, groups=score.shape[1])
    return upscore[:, :, 98 : 98 + image.shape[2], 98 : 98 + image.shape[3]]


@pytest.mark.parametrize("size", [(1, 1), (60, 97), (227, 131)])
def test_logits_and_gradients_equal_the_reference(size):
    model = segmentor(width=0.1)
    image = 100 * torch.randn(2, 3, *size, dtype=torch.float64)
    logits = model(image, mode="tensor")
    weights = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    expected = fcn_googlenet(weights, image)
    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected)
    for output in (logits, expected):
        output.sin().sum().backward()
    trained = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * 58 and all(grad.abs().sum() > 0 for grad in trained.values())
    for name, grad in trained.items():
        torch.testing.assert_close(grad, weights[name].grad, msg=lambda text, name=name: f"{name}: {text}")


def test_dropout_is_elementwise_and_before_the_scores_only():
    net = narrow(width=0.1, padding=18, out_indices=(3, 4))
    torch.manual_seed(0)
    image = torch.randn(1, 3, 200, 200)
    pool4, features = net.eval()(image)
    same, dropped = net.train()(image)
    torch.testing.assert_close(pool4, same)
    alive = features > 0
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], features[kept] / 0.6)
    assert float(kept[alive].float().mean()) == pytest.approx(0.6, abs=0.05)
    for dims in ((2, 3), 1):  # neither whole channels nor whole places
        mixed = (kept & alive).sum(dims).bool() & (~kept & alive).sum(dims).bool()
        assert mixed.float().mean() > 0.5


def test_pretrained_weights_load_by_name(tmp_path):
    torch.manual_seed(1)
    source = {key: torch.randn_like(value) for key, value in narrow().state_dict().items()}
    file = tmp_path / "googlenet.pth"
    torch.save({**source, "fc8.weight": torch.zeros(3, 20, 1, 1), "fc8.bias": torch.zeros(3)}, file)
    pretrained = dict(type="Pretrained", checkpoint=str(file))
    net = narrow(init_cfg=pretrained)
    net.init_weights()
    assert all(torch.equal(value, source[key]) for key, value in net.state_dict().items())
    del source["inception_4c.pool_proj.bias"]
    torch.save(source, file)
    with pytest.raises(ValueError, match="GoogLeNet.*missing: inception_4c.pool_proj.bias"):
        narrow(init_cfg=pretrained).init_weights()


@pytest.mark.parametrize("frozen, trained", [(-1, 57), (0, 57), (1, 56), (2, 54), (3, 42), (4, 12), (5, 0)])
def test_frozen_stages(frozen, trained):
    net = narrow(frozen_stages=frozen).train()
    convs = [name for name, module in net.named_modules() if isinstance(module, nn.Conv2d)]
    parameters = dict(net.named_parameters())
    learning = [name for name in convs if parameters[f"{name}.weight"].requires_grad]
    assert learning == convs[57 - trained :]
    assert all(parameters[f"{name}.bias"].requires_grad == (name in learning) for name in convs)
    assert net.dropout.training


def test_activation_checkpointing_changes_nothing():
    torch.manual_seed(0)
    net, image = narrow(out_indices=(0, 2, 4), width=0.05).train(), torch.randn(1, 3, 33, 40)
    grads = []
    for net.with_cp in (False, True):
        net.zero_grad()
        torch.manual_seed(1)  # of the dropout
        sum(out.square().sum() for out in net(image)).backward()
        grads.append([p.grad.clone() for p in net.parameters()])
    assert sum(bool(g.abs().sum() > 0) for g in grads[0]) > 100
    for plain, checkpointed in zip(*grads):
        torch.testing.assert_close(plain, checkpointed, rtol=0, atol=0)


def test_channels_last_survives_loading():
    net = narrow(out_indices=(0, 1, 2, 3, 4), width=0.05)
    net.load_state_dict({key: value.contiguous() for key, value in net.state_dict().items()})
    assert net.conv2_3x3.weight.is_contiguous(memory_format=torch.channels_last)
    assert all(out.is_contiguous(memory_format=torch.channels_last) for out in net(torch.randn(2, 3, 64, 64)))


@pytest.mark.parametrize("width", [0.001, 0.02, 0.33])
def test_any_width(width):
    with torch.device("meta"):
        net = GoogLeNet(width=width)
    assert net.conv2_3x3.out_channels == max(1, round(192 * width))
    assert net.feature_maps[0].channels == sum(max(1, round(planes * width)) for planes in (384, 384, 128, 128))


@pytest.mark.parametrize(
    "kwargs, message",
    [
        (dict(padding=-1), "integer >= 0, got -1"),
        (dict(padding=1.5), "integer >= 0, got 1.5"),
        (dict(out_indices=(5,)), r"4 \(inception_5b\), got \(5,\)"),
        (dict(out_indices=()), "out_indices"),
        (dict(frozen_stages=6), "-1 to 5, got 6"),
        (dict(width=0), "positive, got 0"),
    ],
)
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        narrow(**kwargs)
