import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from testing.dense_networks import NETWORKS, fcn32s, random_image

from fcn_plugin import config_dir
from fcn_plugin.geometry.coord_map import IMAGE
from fcn_plugin.paper import patch_classification
from fcn_plugin.paper.patch_classification import PatchClassifier, build_network, compare


@pytest.mark.parametrize(
    "network, padding", [("vgg11", 0), ("vgg11-bn", 60), ("vgg16", 100), ("googlenet", 3), ("caffenet", 100)]
)
def test_patches_have_the_scores_of_the_padded_network(network, padding):
    """Each cell of the ordinary network whose field lies in the image, against its patch cut out by hand."""
    model = fcn32s(network, padding).float()
    (coord_map,) = model.decode_head.feature_maps
    field = NETWORKS[network][2]
    image = random_image(field + 50, field + 38).float()
    classifier = PatchClassifier(model)
    assert (classifier.size, classifier.stride) == (field, 32)
    with torch.no_grad():
        scores = model.decode_head.score_fr(model.extract_feat(image)[-1])
    inside = [coord_map.cells_inside(length) for length in image.shape[2:]]
    assert all(inside)
    found = 0
    for row in inside[0]:
        for column in inside[1]:
            y, x = (int(coord_map.pixel(cell) - (coord_map.size - 1) / 2) for cell in (row, column))
            patch = image[:, :, y : y + field, x : x + field]
            (score,) = classifier.classify_patches(patch)[0].flatten(1).T
            torch.testing.assert_close(score, scores[0, :, row, column], rtol=1e-4, atol=1e-4)
            found += 1
    assert found and scores.std() > 0.1


@pytest.mark.parametrize(
    "network, stride", [*(("vgg11", stride) for stride in (32, 16, 12, 5, 64, None)), ("googlenet", 16)]
)
def test_both_ways_are_equal(network, stride):
    """At the network's stride, at divisors and multiples of it, and at neither; for several images."""
    classifier = PatchClassifier(fcn32s(network, 100).float())
    image = random_image(classifier.size + 33, classifier.size + 64, number=2).float()
    by_patches = classifier.classify_patches(image, stride, batch_size=7)
    by_image = classifier.classify_image(image, stride)
    step = stride or 32
    assert by_patches.shape == by_image.shape == (2, 3, 33 // step + 1, 64 // step + 1)
    torch.testing.assert_close(by_patches, by_image, rtol=1e-4, atol=1e-4)
    assert by_image.std() > 0.01 and (by_image[0] - by_image[1]).abs().max() > 0.01
    # and each is the score of the patch around its place
    row, column = (cells - 1 for cells in by_image.shape[2:])
    where = classifier.coord_map(step)
    assert where == IMAGE.conv(classifier.size, step)
    y, x = (int(where.pixel(cell) - where.pixel(0)) for cell in (row, column))
    patch = image[1:, :, y : y + classifier.size, x : x + classifier.size]
    torch.testing.assert_close(
        classifier.classify_patches(patch)[0, :, 0, 0], by_patches[1, :, row, column], rtol=1e-4, atol=1e-4
    )


def test_errors():
    classifier = PatchClassifier(fcn32s("vgg11", 100))
    for classify in (classifier.classify_patches, classifier.classify_image):
        with pytest.raises(ValueError, match="patch of 150 x 150 pixels.*does not fit in an image of 149 x 200"):
            classify(torch.zeros(1, 3, 149, 200))
        with pytest.raises(ValueError, match="1 pixel or more, got 0"):
            classify(random_image(150, 150), 0)
    model = fcn32s("vgg11", 100)
    (feature_map,) = model.decode_head.feature_maps
    model.decode_head.feature_maps = (type(feature_map)(feature_map.stride, feature_map.offset),)
    with pytest.raises(ValueError, match="receptive field is not known"):
        PatchClassifier(model)


def test_comparison(monkeypatch):
    """What is measured, in which order, and that patches need more."""
    classifier = PatchClassifier(fcn32s("vgg11", 100).float())
    calls = []
    measure = patch_classification.measure_time
    for way in ("classify_patches", "classify_image"):
        classify = getattr(classifier, way)
        monkeypatch.setattr(
            classifier, way, lambda *args, way=way, classify=classify: calls.append(way) or classify(*args)
        )
    times = iter([5.0, 1.0, 3.0, 2.0, 4.0, 9.0])
    monkeypatch.setattr(patch_classification, "measure_time", lambda *args: (measure(*args), next(times))[1])
    (one,) = compare(classifier, [182], repeats=3)
    assert calls == ["classify_patches", "classify_image"] * 4  # once for the memory, then by turns
    assert (one.image_size, one.patches, one.patch_seconds, one.image_seconds) == (182, 4, 4.0, 2.0)
    # the patches, and the first map of each, without padding, against one first map of the image
    first = 4 * classifier.model.backbone.conv1_1.out_channels
    assert one.patch_bytes >= 4 * (4 * 3 * 150**2 + first * 148**2) > 2 * one.image_bytes > 2 * first * 180**2
    assert 0 <= one.largest_difference < 1e-5


def test_comparison_checks_all_sizes_first():
    with pytest.raises(ValueError, match="does not fit in an image of 149 x 149"):
        compare(PatchClassifier(fcn32s("vgg11", 100)), [182, 149])


@pytest.mark.parametrize("config", ["fcn32s_vgg16_voc", "fcn8s_vgg16_voc", "_base_/models/fcn_googlenet"])
def test_network_of_a_config(config):
    init_default_scope("mmseg")
    model = Config.fromfile(config_dir() / f"{config}.py").model
    before = model.to_dict()
    network = build_network(model, width=0.02)
    assert network.backbone.feature_maps[-1].channels < 50 and not network.training
    assert type(network.decode_head).__name__ == "FCN32sHead" and network.decode_head.num_classes == 21
    assert network.decode_head.score_fr.weight.std() > 0.01
    assert PatchClassifier(network).size == (715 if "googlenet" in config else 404)
    assert model.to_dict() == before
    with torch.device("meta"):
        assert build_network(model).decode_head.in_channels == [1024 if "googlenet" in config else 4096]


def test_network_of_another_backbone():
    model = dict(type="EncoderDecoder", backbone=dict(type="ResNet", depth=18), decode_head=dict(num_classes=2))
    with pytest.raises(ValueError, match="FCNVGG, CaffeNet and GoogLeNet, got ResNet"):
        build_network(model)
