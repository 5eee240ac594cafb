"""What the backbones of the reference have in common."""

import math
from dataclasses import dataclass

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from fcn_plugin import config_dir
from fcn_plugin.geometry.linear_feature_extractor import LinearFeatureExtractor
from fcn_plugin.geometry.measurement import measure_alignment
from fcn_plugin.models.backbones import FCNVGG, CaffeNet, GoogLeNet
from fcn_plugin.structures.image_features import ImageFeatures


@dataclass
class Case:
    """What is known of a network.

    Attributes:
        type: its class.
        first: kernel and stride of the first convolution.
        pool: kernel of the poolings, whose stride is 2.
        maps: stride, channels and receptive field of each map.
        parameters: their number.
        least: the least size of an image by the padding.
        skips: maps for FCN-8s.
        neck: of the segmentor; None for none.
        model: shipped base config, millions of its parameters, and its receptive field, as published.
        field_kernel: of a last layer of which that is the field.
        frozen: layers that each number of ``frozen_stages`` adds.
    """

    type: type
    first: tuple[int, int]
    pool: int
    maps: list[tuple[int, int, int]]
    parameters: int
    least: dict[int, int]
    skips: tuple[int, ...]
    neck: dict | None
    model: tuple[str, int, int]
    field_kernel: int = 1
    frozen: tuple = ()

    def build(self, padding=100, width=0.02, maps=None, **settings):
        return self.type(padding=padding, width=width, out_indices=maps or range(len(self.maps)), **settings)

    def sizes(self, size, padding):
        """Caffe's formulas for the sizes of the maps."""
        kernel, stride = self.first
        size, sizes = (size + 2 * padding - kernel) // stride + 1, []
        for _ in range(round(math.log2(self.maps[-1][0] / stride))):
            size = math.ceil((size - self.pool) / 2) + 1
            sizes.append(size)
        return [*sizes, *[size] * (len(self.maps) - len(sizes))]

    def segmentor(self, head="FCN32sHead", padding=100):
        """A narrow FCN on it with random scores."""
        init_default_scope("mmseg")
        maps = self.skips if head == "FCN8sHead" else self.skips[-1:]
        backbone = dict(type=self.type, padding=padding, width=0.02, out_indices=maps)
        channels = MODELS.build(backbone).feature_maps[-1].channels
        fc6 = dict(fc6_kernel=3, fc6_padding="same") if padding < 81 else self.neck
        neck = None if self.neck is None else dict(type="FCConvNeck", in_channels=channels, channels=5, **fc6)
        head = dict(type=head, num_classes=3)
        model = MODELS.build(dict(type="AlignedEncoderDecoder", backbone=backbone, neck=neck, decode_head=head))
        torch.manual_seed(0)
        for parameter in model.parameters():
            if parameter.requires_grad:
                scale = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim == 4 else 0.1
                torch.nn.init.normal_(parameter, 0, scale)
        return model.eval()


CASES = [
    Case(
        FCNVGG, first=(3, 1), pool=2, parameters=14_714_688,
        maps=[(2, 64, 6), (4, 128, 16), (8, 256, 44), (16, 512, 100), (32, 512, 212)],
        least={0: 3, 1: 1, 100: 1}, skips=(2, 3, 4), neck=dict(), model=("fcn_vgg16", 134, 404),
        frozen=([], ["conv1_1", "conv1_2"], ["conv2_1", "conv2_2"], ["conv3_1", "conv3_2", "conv3_3"],
                ["conv4_1", "conv4_2", "conv4_3"], ["conv5_1", "conv5_2", "conv5_3"]),
    ),
    Case(
        CaffeNet, first=(11, 4), pool=3, parameters=2_334_080, maps=[(8, 96, 19), (16, 256, 67), (32, 256, 195)],
        least={0: 39, 1: 37, 19: 1, 100: 1}, skips=(0, 1, 2), neck=dict(fc6_kernel=6), model=("fcn_caffenet", 57, 355),
        frozen=([], *([f"conv{i}"] for i in range(1, 6))),
    ),
    Case(
        GoogLeNet, first=(7, 2), pool=3, parameters=5_973_552,
        maps=[(4, 64, 11), (8, 192, 27), (16, 480, 107), (32, 832, 459), (32, 1024, 715)],
        least={0: 37, 3: 31, 17: 3, 18: 1, 100: 1}, skips=(1, 2, 4), neck=None, model=("fcn_googlenet", 6, 907),
        field_kernel=7,  # the classifier's average pooling, which the paper counts and leaves out
        frozen=([], ["conv1_7x7_s2"], ["conv2_3x3_reduce", "conv2_3x3"], ["inception_3a", "inception_3b"],
                [f"inception_4{i}" for i in "abcde"], ["inception_5a", "inception_5b"]),
    ),
]  # fmt: skip


@pytest.fixture(params=CASES, ids=lambda case: case.type.__name__)
def case(request) -> Case:
    return request.param


def random_state(net):
    torch.manual_seed(1)
    return {key: torch.randn_like(value) for key, value in net.state_dict().items()}


def test_parameters_and_maps(case):
    with torch.device("meta"):
        net = case.build(width=1)
    assert sum(p.numel() for p in net.parameters()) == case.parameters
    assert [(m.stride, m.channels, m.coord_map.size) for m in net.feature_maps] == case.maps


def test_published_facts(case):
    """Table 1 of the paper: parameters, receptive field and largest stride."""
    init_default_scope("mmseg")
    config, millions, field = case.model
    with torch.device("meta"):
        model = MODELS.build(Config.fromfile(config_dir() / f"_base_/models/{config}.py").model)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6) == millions
    coarsest = model.decode_head.feature_maps[-1]
    assert (coarsest.stride, coarsest.conv(case.field_kernel).size) == (32, field)


@pytest.mark.parametrize("padding", [0, 100])
def test_cells_lie_and_see_where_the_backbone_says(case, padding):
    net = case.build(padding, width=0.001)
    measured = measure_alignment(LinearFeatureExtractor(net))
    assert [(m.channels, m.coord_map) for m in measured] == [(m.channels, m.coord_map) for m in net.feature_maps]
    assert [m.field for m in measured] == [(field, field) for _, _, field in case.maps]


def test_sizes_are_those_of_caffe(case):
    for padding, least in case.least.items():
        net = case.build(padding, width=0.001).requires_grad_(False)
        assert net.least_size == least
        for height in range(least, least + 64, 3):
            width = least + height * 37 % 64
            maps = net(torch.zeros(1, 3, height, width))
            expected = zip(case.sizes(height, padding), case.sizes(width, padding), strict=True)
            assert [tuple(one.shape[2:]) for one in maps] == list(expected)
            assert isinstance(maps, ImageFeatures) and maps.image_size == (height, width)
            assert maps.coord_maps == tuple(m.coord_map for m in net.feature_maps)
        if least > 1:
            with pytest.raises(ValueError, match=rf"padding={padding} needs images of {least} pixels .*larger padding"):
                net(torch.zeros(1, 3, least - 1, least))


@pytest.mark.parametrize("large_padding", [True, False])
@pytest.mark.parametrize("head", ["FCN32sHead", "FCN8sHead"])
def test_logits_have_the_size_of_the_image_in_all_modes(case, head, large_padding, monkeypatch):
    """All heights and widths of two periods of the stride; the toolbox's resizing to other sizes is forbidden."""
    padding = 100 if large_padding else min(padding for padding, least in case.least.items() if least == 1)
    model, sizes = case.segmentor(head, padding), [(size, 1 + size * 37 % 64) for size in range(1, 65)]
    assert {height for height, _ in sizes} == {width for _, width in sizes} == set(range(1, 65))

    def no_resize(input, size, **kwargs):
        assert tuple(input.shape[2:]) == tuple(size)
        return input

    monkeypatch.setattr("mmseg.models.decode_heads.decode_head.resize", no_resize)
    monkeypatch.setattr("mmseg.models.segmentors.base.resize", no_resize)
    with torch.no_grad():
        for height, width in sizes:
            image = torch.randn(1, 3, height, width)
            logits = model(image, mode="tensor")
            assert logits.shape == (1, 3, height, width)
            if height % 8 == 1:
                label = PixelData(data=torch.zeros(1, height, width, dtype=torch.long))
                meta = dict.fromkeys(("ori_shape", "img_shape", "pad_shape"), (height, width))
                samples = [SegDataSample(gt_sem_seg=label, metainfo=meta)]
                assert torch.equal(model(image, samples, mode="predict")[0].seg_logits.data, logits[0])
                expected = torch.nn.functional.cross_entropy(logits, label.data)
                torch.testing.assert_close(model(image, samples, mode="loss")["decode.loss_ce"], expected)


def test_evidence_shows_at_its_pixel_through_all_skips(case):
    """One unit of score in a cell of each map shows in the logits around that cell's pixel."""
    model = case.segmentor("FCN8sHead").double()
    head = model.decode_head
    assert [m.stride for m in head.feature_maps] == [8, 16, 32]
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 160, 160, dtype=torch.float64))
        for name in head.score_names:
            getattr(head, name).weight.fill_(1)
            getattr(head, name).bias.zero_()
        for evidence, coord_map in zip(features, head.feature_maps, strict=True):
            for feature in features:
                feature.zero_()
            cell = round(float((80 - coord_map.offset) / coord_map.stride))
            evidence[0, 0, cell, cell + 1] = 1
            logits = head(features)[0, 1]
            for axis, place in enumerate((cell, cell + 1)):
                centre = (logits.sum(1 - axis) * torch.arange(160)).sum() / logits.sum()
                assert float(centre) == pytest.approx(float(coord_map.pixel(place)), abs=1e-5)


def test_frozen_stages(case):
    """From the first on, in eval mode and without gradients; the parameters of a stage, by name, are the case's."""
    layers = sum(case.frozen, [])
    assert {name.split(".")[0] for name in case.build().state_dict()} == set(layers)
    for frozen in range(-1, len(case.frozen)):
        net = case.build(frozen_stages=frozen).train()
        still = sum(case.frozen[: max(0, frozen) + 1], [])
        trained = {name.split(".")[0] for name, p in net.named_parameters() if p.requires_grad}
        assert trained == {name for name in layers if getattr(net, name).training} == set(layers) - set(still)


def test_activation_checkpointing_changes_nothing(case):
    torch.manual_seed(0)
    net, image = case.build(18, width=0.05).train(), torch.randn(1, 3, 33, 40)
    grads = []
    for net.with_cp in (False, True, (1, 2)):
        net.zero_grad()
        torch.manual_seed(1)  # of a dropout
        sum(out.square().sum() for out in net(image)).backward()
        grads.append([p.grad.clone() for p in net.parameters()])
    assert sum(bool(g.abs().sum() > 0) for g in grads[0]) > 0.8 * len(grads[0])
    for plain, *checkpointed in zip(*grads):
        for other in checkpointed:
            torch.testing.assert_close(plain, other, rtol=0, atol=0)


def test_channels_last_survives_loading(case):
    net = case.build(18, width=0.05)
    net.load_state_dict({key: value.contiguous() for key, value in net.state_dict().items()})
    assert all(
        p.is_contiguous(memory_format=torch.channels_last) for p in net.parameters() if p.ndim == 4 and p.shape[2] > 1
    )
    assert all(out.is_contiguous(memory_format=torch.channels_last) for out in net(torch.randn(2, 3, 64, 64)))


def test_pretrained_weights_load_by_name(case, tmp_path):
    """Also as the last of several initialisations; the classifier is left, and a missing weight refused."""
    source, file = random_state(case.build()), tmp_path / "weights.pth"
    pretrained = dict(type="Pretrained", checkpoint=str(file))
    torch.save({f"backbone.{key}": value for key, value in source.items()} | {"fc8.bias": torch.zeros(3)}, file)
    for init_cfg in (pretrained, [dict(type="Kaiming", layer="Conv2d"), pretrained]):
        net = case.build(init_cfg=init_cfg)
        net.init_weights()
        assert net.is_init and all(torch.equal(value, source[key]) for key, value in net.state_dict().items())
    missing, _ = source.popitem()
    torch.save({f"backbone.{key}": value for key, value in source.items()}, file)
    with pytest.raises(ValueError, match=rf"{case.type.__name__}.*missing: {missing}"):
        case.build(init_cfg=pretrained).init_weights()


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(padding=-1), "integer >= 0, got -1"),
        (dict(padding=1.5), "integer >= 0, got 1.5"),
        (dict(out_indices=(0, 7)), r"out_indices must name some of 0 \(pool1\), .*, got \(0, 7\)"),
        (dict(out_indices=()), "out_indices"),
        (dict(frozen_stages=6), "-1 to 5, got 6"),
        (dict(width=0), "positive, got 0"),
        (dict(with_cp=(0, 1)), r"with_cp must be True, False or numbers of stages from 1 to \d, got \(0, 1\)"),
    ],
)
def test_wrong_arguments(case, settings, message):
    with pytest.raises(ValueError, match=message):
        case.type(**{"width": 0.02, **settings})
