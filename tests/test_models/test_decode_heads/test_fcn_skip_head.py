from fractions import Fraction

import pytest
import torch
from mmseg.registry import MODELS

from fcn_plugin.geometry import CoordMap, FeatureMap
from fcn_plugin.models.decode_heads import FCN8sHead, FCN16sHead, FCN32sHead, FCNSkipHead
from fcn_plugin.structures.image_features import ImageFeatures

HEADS = [(FCN32sHead, 1), (FCN16sHead, 2), (FCN8sHead, 3)]
#: Cells in the middle of their pixels: a VGG of padding=1, and Swin Transformer.
HALF = [dict(stride=s, offset=(s - 1) / 2) for s in (8, 16, 32)]
QUARTER = [dict(stride=s, offset=(s - 1) / 2) for s in (4, 8, 16)]
#: Maps as a ResNet returns them, and of a backbone whose positions are not known.
MAPS = [FeatureMap(3 + i, CoordMap(4 << i, 0)) for i in range(4)]
BLIND = [FeatureMap(3 + i, stride=Fraction(4 << i)) for i in range(3)]
RESNET = [dict(stride=8, offset=0), dict(stride=16, offset=0), dict(stride=32, offset=0)]
#: The reference's, and maps that need kernels of both kinds.
REFERENCE = [dict(stride=8, offset=-95.5), dict(stride=16, offset=-91.5), dict(stride=32, offset=12.5)]
STRIDE_2 = [dict(stride=1, offset=0), dict(stride=2, offset=0), dict(stride=4, offset=1)]


def build(head, used, channels=(3, 4, 5), **kwargs):
    return head(channels[-used:], num_classes=2, **kwargs)


def features(head, sizes, image_size):
    """Zero feature maps of the given sizes at the positions that the head was built for."""
    maps = [torch.zeros(1, c, *size) for c, size in zip(head.in_channels, sizes)]
    return ImageFeatures(maps, image_size, head.feature_maps)


@pytest.mark.parametrize("head, used", HEADS)
def test_parameters_have_the_reference_names_and_start_values(head, used):
    model = build(head, used)
    names = {
        1: ["score_fr", "upscore"],
        2: ["score_fr", "upscore2", "score_pool4", "upscore16"],
        3: ["score_fr", "upscore2", "score_pool4", "upscore_pool4", "score_pool3", "upscore8"],
    }[used]
    assert {name for name, _ in model.named_children() if "score" in name} == set(names)
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad is not name.startswith("upscore"), name
        assert name.startswith("upscore") or not parameter.any(), name
    assert not any(name.startswith("conv_seg") for name in model.state_dict())
    assert model.feature_maps == tuple(CoordMap(**place) for place in REFERENCE[-used:])
    with torch.device("meta"):
        assert head(num_classes=21).in_channels == [256, 512, 4096][-used:]


@pytest.mark.parametrize(
    "geometry", [REFERENCE, HALF, RESNET, STRIDE_2], ids=["padding100", "padding1", "resnet", "stride2"]
)
@pytest.mark.parametrize("used", [1, 2, 3])
def test_evidence_peaks_at_its_pixel(used, geometry):
    """One unit of evidence in one cell of any used map shows in the logits around that cell's pixel."""
    model = FCNSkipHead((3, 4, 5)[-used:], num_classes=2, geometry=geometry[-used:])
    sizes = [(64 // int(m.stride) * 4 + 30,) * 2 for m in model.feature_maps]
    for level, (name, coord_map) in enumerate(zip(reversed(model.score_names), model.feature_maps)):
        score = getattr(model, name)
        torch.nn.init.constant_(score.weight, 1.0)
        cell = round(float((60 - coord_map.offset) / coord_map.stride))
        inputs = features(model, sizes, (128, 128))
        inputs[level][0, 0, cell, cell + 1] = 1.0
        logits, places = model(inputs)[0, 1].detach(), torch.arange(128.0)
        found = [float((logits.sum(axis) * places).sum() / logits.sum()) for axis in (1, 0)]
        assert found == pytest.approx([float(coord_map.pixel(i)) for i in (cell, cell + 1)], abs=1e-4)
        torch.nn.init.zeros_(score.weight)


def test_skip_scales_multiply_the_features():
    torch.manual_seed(0)
    model = build(FCN16sHead, 2)
    scaled = build(FCN16sHead, 2, skip_scales=[0.01])
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter)
    scaled.load_state_dict(model.state_dict())
    inputs = features(model, [(20, 20), (10, 10)], (50, 60))
    inputs[0].normal_()
    smaller = ImageFeatures([inputs[0] * 0.01, inputs[1]], inputs.image_size, inputs.coord_maps)
    torch.testing.assert_close(scaled(inputs), model(smaller))
    assert not torch.allclose(scaled(inputs), model(inputs))


@pytest.mark.parametrize("inner, last", [(True, False), (True, True), (False, True)])
def test_learnable_upsampling(inner, last):
    model = build(FCN8sHead, 3, learnable_upsampling=inner, learnable_last_upsampling=last)
    trained = {name for name in model.upscore_names if getattr(model, name).weight.requires_grad}
    assert trained == {*(["upscore2", "upscore_pool4"] if inner else []), *(["upscore8"] if last else [])}


def test_scores_are_float32_under_autocast():
    model = build(FCN8sHead, 3)
    inputs = features(model, [(30, 30), (15, 15), (8, 8)], (40, 40))
    seen = []
    model.score_fr.register_forward_hook(lambda module, args, out: seen.append((args[0].dtype, out.dtype)))
    half = ImageFeatures([m.bfloat16() for m in inputs], inputs.image_size, inputs.coord_maps)
    with torch.autocast("cpu", torch.bfloat16):
        assert model(half).dtype == torch.float32
    assert seen == [(torch.float32, torch.float32)]


def test_earlier_stage_difference():
    missing, too_many = build(FCN8sHead, 3).earlier_stage_difference()
    assert missing == {"score_pool3.weight", "score_pool3.bias", "upscore_pool4.weight", "upscore8.weight"}
    assert too_many == {"upscore16.weight"}
    assert build(FCN16sHead, 2).earlier_stage_difference()[1] == {"upscore.weight"}
    assert build(FCN32sHead, 1).earlier_stage_difference() == (set(), set())


def test_features_of_another_feature_extractor_are_refused():
    model = build(FCN16sHead, 2)
    other = ImageFeatures(features(model, [(9, 9), (9, 9)], (9, 9)), (9, 9), [CoordMap(16, 0), CoordMap(32, 0)])
    with pytest.raises(
        ValueError,
        match=r"built for .*offset -91.5.* the feature extractor gives .*offset 0.*model.type='AlignedEncoderDecoder'",
    ):
        model(other)
    with pytest.raises(TypeError, match="tuple does not carry: set model.type='AlignedEncoderDecoder'"):
        model(tuple(other))


def even_scores(head, used, geometry, size, **kwargs):
    """A head whose maps, as many cells as cover the image, all score 1."""
    model = build(head, used, geometry=geometry[-used:], **kwargs)
    for name in model.score_names:
        torch.nn.init.constant_(getattr(model, name).bias, 1.0)
    sizes = [tuple(-(-side // int(m.stride)) for side in size) for m in model.feature_maps]
    return model(features(model, sizes, size)).detach()


@pytest.mark.parametrize("size", [(1, 1), (33, 97), (64, 65), (96, 128)])
@pytest.mark.parametrize("geometry", [RESNET, HALF], ids=["resnet", "swin"])
@pytest.mark.parametrize("head, used", HEADS)
def test_replicated_scores_reach_the_end_of_the_image(head, used, geometry, size):
    """The last cell of a ResNet's map lies up to a stride before it, where zeros leave one part in 32 of its scores."""
    logits = even_scores(head, used, geometry, size, border="replicate")
    torch.testing.assert_close(logits, torch.full((1, 2, *size), float(used)))


def test_zeros_beyond_the_border_by_default():
    logits = even_scores(FCN32sHead, 1, RESNET, (64, 64))
    assert logits[0, 0, (0, 0, 63), (0, 63, 63)].tolist() == pytest.approx([1, 1 / 32, 1 / 32**2])


def test_replicated_scores_are_the_usual_interpolation():
    """For cells in the middle of their pixels, that is what the toolbox's ``resize`` does."""
    model = build(FCN32sHead, 1, geometry=HALF[-1:], border="replicate")
    torch.nn.init.eye_(model.score_fr.weight.data[:, :, 0, 0])
    inputs = features(model, [(3, 4)], (96, 128))
    inputs[0].normal_(generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.interpolate(inputs[0][:, :2], scale_factor=32, mode="bilinear", align_corners=False)
    torch.testing.assert_close(model(inputs).detach(), expected)


def test_scores_that_end_inside_the_image():
    model = build(FCN32sHead, 1)
    with pytest.raises(ValueError, match=r"end at \(45, 45\) of an image of \(99, 99\)"):
        model(features(model, [(1, 1)], (99, 99)))


@pytest.mark.parametrize(
    "kwargs, message",
    [
        (dict(in_channels=[4, 5, 6, 7]), r"fuses 3 .*got in_channels=\[4, 5, 6, 7\]"),
        (dict(in_index=[0, 1]), r"fuses 3 .*in_index=\[0, 1\]"),
        (dict(skip_scales=[1.0]), r"one skip scale fewer, got skip_scales=\[1.0\]"),
        (dict(in_index=[0, 1, 5]), r"in_index=\[0, 1, 5\] reaches beyond the 3 maps"),
        (dict(geometry=RESNET[:2]), r"fuses 3 .*geometry=\[\{'stride': 8"),
        (dict(geometry=dict(backbone=dict(type="FCNVGG"))), "geometry must list .*model.type='Aligned"),
        (dict(geometry=RESNET[::-1]), "from fine to coarse"),
        (dict(border=0), "border must be 'zeros' or 'replicate', got 0"),
        (dict(dropout_ratio=0.1), "has no dropout_ratio"),
        (dict(input_maps=MAPS), r"in_channels=\[3, 4, 5\] in the maps \[-3, -2, -1\], .* 1: 4 channels at st"),
        (dict(input_maps=MAPS, in_channels=None, in_index=[0, 1, 4]), r"\[0, 1, 4\] reaches beyond the 4"),
        (dict(input_maps=MAPS[:3], in_channels=None, geometry=HALF), "lie at .*offset 3.5.*leave geometry out"),
        (dict(input_maps=BLIND, in_channels=None), "is not known: give decode_head.geometry="),
        (dict(input_maps=BLIND, in_channels=None, geometry=HALF), "strides of 8, 16, 32 in the maps .*geomet"),
    ],
)
def test_wrong_arguments_when_built(kwargs, message):
    arguments = {"in_channels": [3, 4, 5], "num_classes": 2, **kwargs}
    error = TypeError if "dropout_ratio" in kwargs else ValueError
    with pytest.raises(error, match=message):
        FCN8sHead(**arguments)


def test_channels_and_positions_of_the_feature_extractor():
    head = FCN8sHead(num_classes=2, input_maps=MAPS)
    assert head.in_channels == [4, 5, 6] and head.in_index == [-3, -2, -1]
    assert head.feature_maps == tuple(CoordMap(stride, 0) for stride in (8, 16, 32))
    head = FCNSkipHead(num_classes=2, input_maps=MAPS[::-1], in_index=[2, 0])
    assert head.in_channels == [4, 6] and head.feature_maps == (CoordMap(8, 0), CoordMap(32, 0))
    assert FCNSkipHead(num_classes=2, input_maps=MAPS).in_channels == [3, 4, 5, 6]
    declared = FCN8sHead(num_classes=2, input_maps=BLIND, in_index=[0, 1, 2], geometry=QUARTER)
    assert declared.in_channels == [3, 4, 5] and declared.feature_maps[0] == CoordMap(4, 1.5)


@pytest.mark.parametrize("end, border", [(-31, "replicate"), (-15.5, "zeros"), (-12.5, "zeros"), (None, "zeros")])
def test_border_follows_from_the_feature_extractor(end, border):
    maps = [FeatureMap(4, CoordMap(32, 0, 65, end))]
    assert FCN32sHead(num_classes=2, input_maps=maps).border == border
    assert FCN32sHead(num_classes=2, input_maps=maps, border="replicate").border == "replicate"


def test_a_skip_of_stride_2_has_its_own_last_upsampling():
    """First and last upsampling have kernels of their own: of one name, the later would take the earlier's place."""
    head = FCNSkipHead([1, 1], STRIDE_2[1:], num_classes=3)
    assert head.upscore_names == ["upscore2", "upscore_image"]
    assert [getattr(head, name).weight.shape[-1] for name in head.upscore_names] == [4, 3]
    assert [step.kernel for step in head.steps] == [4, 3]


def test_maps_of_one_stride():
    """Those of a ResNet dilated to stride 8 are added as they are; each score has a name of its own."""
    head = FCN8sHead([2, 3, 4], [dict(stride=8, offset=0)] * 3, num_classes=2, border="replicate")
    assert head.score_names == ["score_fr", "score_pool3", "score_pool3_2"]
    layers = {name for name, _ in head.named_children() if "score" in name}
    assert layers == {"score_fr", "score_pool3", "score_pool3_2", "upscore8"}
    inputs = features(head, [(9, 9)] * 3, (65, 66))
    for number, name in enumerate(reversed(head.score_names), start=1):
        torch.nn.init.constant_(getattr(head, name).bias, 10.0**number)
    assert torch.equal(head(inputs), torch.full((1, 2, 65, 66), 1110.0))
    missing, too_many = head.earlier_stage_difference()
    assert missing == {"score_pool3_2.weight", "score_pool3_2.bias"} and too_many == set()


@pytest.mark.parametrize("out_channels, num_classes", [(1, 2), (11, 11)])
def test_any_number_of_classes(out_channels, num_classes):
    head = MODELS.build(
        dict(type="FCN32sHead", in_channels=[5], num_classes=num_classes, out_channels=out_channels, threshold=0.3)
    )
    assert head(features(head, [(3, 3)], (20, 21))).shape == (1, out_channels, 20, 21)
