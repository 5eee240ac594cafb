import pytest
import torch
import torch.nn.functional as F
from testing.classifiers import CLASSES, NETWORKS, classifier, picture, sees_blue_and_green

from fcn_plugin import config_dir
from fcn_plugin.geometry.coord_map import CoordMap
from fcn_plugin.paper.class_scores import ClassScores, build_classifier, class_scores, number_of_classes
from fcn_plugin.weights.preprocessing import CAFFE, TORCHVISION


@pytest.mark.parametrize("architecture", NETWORKS)
def test_the_classifier_becomes_a_segmentor(architecture):
    checkpoint = classifier(architecture)
    model = build_classifier(checkpoint)
    assert not model.training
    loaded = {key.replace("decode_head.score_fr", "fc8"): value for key, value in model.state_dict().items()}
    assert loaded.keys() - checkpoint["state_dict"].keys() == {"decode_head.upscore.weight"}
    for key, value in checkpoint["state_dict"].items():
        assert torch.equal(loaded[key], value), key
    assert number_of_classes(checkpoint) == model.decode_head.num_classes == CLASSES


def vgg16_pool5(weights, image):
    """VGG16's convolutions with the reference's padding, layer by layer."""
    x = image
    for stage, convs in enumerate((2, 2, 3, 3, 3), start=1):
        for i in range(1, convs + 1):
            name = f"backbone.conv{stage}_{i}"
            padding = 100 if (stage, i) == (1, 1) else 1
            x = F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=padding).relu()
        x = F.max_pool2d(x, 2, ceil_mode=True)
    return x


@pytest.mark.parametrize("preprocessing", [CAFFE, TORCHVISION], ids=["caffe", "torchvision"])
def test_each_cell_is_the_classifier_on_its_patch(preprocessing):
    checkpoint = classifier("vgg16", preprocessing)
    weights, image = checkpoint["state_dict"], picture(70, 101)
    scores = class_scores(build_classifier(checkpoint), image)

    channels = image[..., ::-1] if preprocessing["bgr_to_rgb"] else image
    normalised = (torch.tensor(channels.copy()) - torch.tensor(preprocessing["mean"])) / torch.tensor(
        preprocessing["std"]
    )
    pool5 = vgg16_pool5(weights, normalised.permute(2, 0, 1)[None].float())
    fc6, fc7, fc8 = (
        (weights[f"{name}.weight"].flatten(1), weights[f"{name}.bias"]) for name in ("neck.fc6", "neck.fc7", "fc8")
    )
    height, width = (size - 6 for size in pool5.shape[2:])
    tolerance = 1e-4 * float(scores.cells.std())
    assert tolerance > 0
    assert scores.cells.shape == (CLASSES, height, width) and scores.image_size == (70, 101) and height * width > 4
    for row in range(height):
        for column in range(width):
            patch = pool5[:, :, row : row + 7, column : column + 7].flatten(1)
            expected = F.linear(F.linear(F.linear(patch, *fc6).relu(), *fc7).relu(), *fc8)[0]
            torch.testing.assert_close(scores.cells[:, row, column], expected, rtol=0, atol=tolerance)
            torch.testing.assert_close(scores.probabilities[:, row, column], expected.softmax(0), rtol=0, atol=1e-3)


@pytest.mark.parametrize("architecture", ["vgg16", "caffenet"])
def test_chosen_classes_at_every_pixel(architecture):
    model, image = build_classifier(classifier(architecture)), picture(45, 83)
    scores = class_scores(model, image)
    data = model.data_preprocessor(dict(inputs=[torch.from_numpy(image).permute(2, 0, 1)]))
    with torch.no_grad():
        logits = model(data["inputs"], mode="tensor")[0]
    dense = scores.upsample(scores.cells[[3, 0]])
    assert dense.shape == (2, 45, 83)
    torch.testing.assert_close(dense, logits[[3, 0]])
    assert 0 <= scores.upsample(scores.probabilities).min() and scores.upsample(scores.probabilities).max() <= 1 + 1e-6


@pytest.mark.parametrize("architecture", ["vgg16", "caffenet"])
def test_a_square_shows_where_it_is(architecture):
    model = build_classifier(sees_blue_and_green(architecture))
    image = picture(300, 380) // 16
    offset = float(model.decode_head.feature_maps[-1].offset)
    places = {1: (2, 7), 2: (6, 3)}  # by class: row and column of the cell
    for index, place in places.items():
        top, left = (round(offset + 32 * cell - 20) for cell in place)
        image[top : top + 40, left : left + 40, index - 1] = 250
    scores = class_scores(model, image)
    dense = scores.upsample(scores.cells)
    for index, (row, column) in places.items():
        assert scores.peak(index) == (row, column)
        y, x = divmod(int(dense[index].argmax()), 380)
        assert abs(y - (offset + 32 * row)) <= 1 and abs(x - (offset + 32 * column)) <= 1
        assert scores.probabilities[index, row, column] > 0.99
        assert scores.describe(index) == f"score {scores.cells[index].max():.2f}, probability 1.00"
    assert set(scores.highest(2)) == {1, 2} and not scores.cells[0].any()


def test_highest_and_peak():
    cells = torch.zeros(4, 2, 3)
    cells[1] = 4  # the highest on average
    cells[2, 1, 0], cells[0, 0, 2], cells[3, 1, 1] = 5, 7, 6
    scores = ClassScores(cells, CoordMap(32, 13), (20, 30))
    assert scores.highest() == [0] and scores.highest(3) == [0, 3, 2]
    assert [scores.peak(index) for index in (0, 2, 3)] == [(0, 2), (1, 0), (1, 1)]
    for count in (0, 5):
        with pytest.raises(ValueError, match=f"must be 1 to 4, got {count}"):
            scores.highest(count)


def test_config_of_the_feature_extractor():
    """Padding 1 and a same-padded fc6 in place of the default's; the config's head does not matter."""
    model = build_classifier(classifier("vgg16"), str(config_dir() / "fcn8s-pad1_vgg16_camvid.py"))
    assert model.backbone.padding == 1 and model.neck.fc6.padding == (3, 3)
    assert model.decode_head.score_names == ["score_fr"]
    scores = class_scores(model, picture(64, 96))
    assert scores.cells.shape == (CLASSES, 2, 3)


@pytest.mark.parametrize("key", ["fc8.weight", "fc8.bias", "neck.fc6.weight", "neck.fc7.weight"])
def test_weights_without_a_classifier(key):
    checkpoint = classifier()
    del checkpoint["state_dict"][key]
    for function in (number_of_classes, build_classifier):
        with pytest.raises(ValueError, match=rf"the weights have no {key} \(.*not a segmentation network"):
            function(checkpoint)


@pytest.mark.parametrize(
    "content, message",
    [
        ("_base_ = '{configs}/_base_/models/fcn_caffenet.py'", r"do not fit .*config.py: .*conv1"),
        ("optim_wrapper = 1", "config.py has no model with a backbone, a neck and a data_preprocessor"),
        (None, "there is no config"),
    ],
)
def test_unfit_configs(tmp_path, content, message):
    config = tmp_path / "config.py"
    if content is not None:
        config.write_text(content.format(configs=config_dir()))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        build_classifier(classifier(), str(config))
