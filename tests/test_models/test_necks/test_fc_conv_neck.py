import pytest
import torch

from fcn_plugin.geometry.coord_map import CoordMap
from fcn_plugin.models.necks import FCConvNeck
from fcn_plugin.structures.image_features import ImageFeatures
from fcn_plugin.weights.importing import canonical_weights
from fcn_plugin.weights.loading import part_weights


def vgg(linear):
    """A VGG11 of torchvision whose convolutions have 5 channels."""
    convs, channels = {}, 3
    for index in (0, 3, 6, 8, 11, 13, 16, 18):
        convs |= {f"features.{index}.weight": torch.zeros(5, channels, 3, 3), f"features.{index}.bias": torch.zeros(5)}
        channels = 5
    return {**convs, **linear}


def features(*maps):
    strides = [2 ** (6 - len(maps) + i) for i in range(len(maps))]
    return ImageFeatures(maps, (40, 50), [CoordMap(s, 0) for s in strides])


def test_equals_the_linear_layers():
    """On a 7x7 map, the convolutions are the classifier's linear layers, in torchvision's flattening order."""
    torch.manual_seed(0)
    fc6, fc7 = torch.nn.Linear(5 * 7 * 7, 11), torch.nn.Linear(11, 11)
    neck = FCConvNeck(5, 11).eval()
    source = {f"classifier.{i}.{k}": v for i, m in ((0, fc6), (3, fc7)) for k, v in m.state_dict().items()}
    source |= {"classifier.6.weight": torch.zeros(2, 11), "classifier.6.bias": torch.zeros(2)}
    neck.load_state_dict(part_weights(neck, "neck", canonical_weights(vgg(source))))
    x, skip = torch.randn(2, 5, 7, 7), torch.randn(2, 3, 14, 14)
    out = neck(features(skip, x))
    expected = fc7(fc6(x.flatten(1)).relu()).relu()
    torch.testing.assert_close(out[1][:, :, 0, 0], expected)
    assert out[0] is skip and out.image_size == (40, 50)
    assert out.coord_maps == (CoordMap(16, 0), CoordMap(32, 96))


def test_same_padding_keeps_the_size_and_place():
    out = FCConvNeck(2, 4, fc6_padding="same")(features(torch.zeros(1, 2, 3, 5)))
    assert out[0].shape == (1, 4, 3, 5) and out.coord_maps == (CoordMap(32, 0),)


def test_dropout_is_elementwise():
    neck = FCConvNeck(1, 2, fc6_kernel=1).train()
    for name, parameter in neck.named_parameters():
        torch.nn.init.constant_(parameter, 1.0 if name.endswith("weight") else 0.0)
    torch.manual_seed(0)
    out = neck(features(torch.ones(1, 1, 60, 60)))[0][0, 0]
    zeros = (out == 0).float().mean()
    # dropped by fc7's dropout (1/2), or both inputs dropped by fc6's (1/4 of the rest); never a whole channel
    assert float(zeros) == pytest.approx(0.5 + 0.5 * 0.25, abs=0.03)


@pytest.mark.parametrize("frozen", [False, True])
def test_frozen(frozen):
    """A frozen neck takes no gradient and keeps no graph, also after a change of mode; its dropout stays on."""
    neck = FCConvNeck(2, 40, fc6_kernel=1, frozen=frozen).eval().train()
    assert [parameter.requires_grad for parameter in neck.parameters()] == 4 * [not frozen]
    assert neck(features(torch.ones(1, 2, 3, 3)))[0].requires_grad != frozen
    first, second = (neck(features(torch.ones(1, 2, 3, 3)))[0] for _ in range(2))
    assert not torch.equal(first, second)
    passed = neck(features(torch.ones(1, 2, 3, 3, requires_grad=True)))[0]
    assert passed.requires_grad  # a feature extractor that is trained still gets its gradient


@pytest.mark.parametrize(
    "kwargs", [dict(fc6_padding=-1), dict(fc6_padding="valid"), dict(fc6_kernel=4, fc6_padding="same")]
)
def test_wrong_padding(kwargs):
    with pytest.raises(ValueError, match="fc6_padding must be"):
        FCConvNeck(**kwargs)


def test_map_smaller_than_fc6():
    with pytest.raises(ValueError, match=r"fc6 \(7x7, padding 0\) does not fit on a map of \(6, 9\).*padding=100"):
        FCConvNeck(2, 4)(features(torch.zeros(1, 2, 6, 9)))


def test_classifier_without_linear_layers_is_refused(tmp_path):
    file = tmp_path / "convs.pth"
    torch.save(vgg({}), file)
    neck = FCConvNeck(2, 4, init_cfg=dict(type="Pretrained", checkpoint=str(file)))
    with pytest.raises(ValueError, match="does not fit FCConvNeck .missing: fc6.weight, .*init_cfg=None"):
        neck.init_weights()
