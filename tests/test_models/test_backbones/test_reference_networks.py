"""Caffe's networks against what their files say, written down layer by layer, and what is special to each."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from testing.weight_files import BRANCHES, INCEPTIONS

from fcn_plugin.models.backbones import CaffeNet, GoogLeNet


class Plain:
    """Layers on given weights, by name."""

    def __init__(self, weights):
        self.weights = weights

    def conv(self, name, x, **kwargs):
        return F.conv2d(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], **kwargs)

    def relu(self, name, x, **kwargs):
        return self.conv(f"backbone.{name}", x, **kwargs).relu()

    @staticmethod
    def pool(x):
        height, width = (2 * (math.ceil((n - 3) / 2)) + 3 - n for n in x.shape[2:])
        return F.max_pool2d(F.pad(x, (0, width, 0, height), value=-torch.inf), 3, 2)

    @staticmethod
    def norm(x):
        squares = F.pad(x**2, (0, 0, 0, 0, 2, 2))
        total = sum(squares[:, i : i + x.shape[1]] for i in range(5))
        return x / (1 + 1e-4 / 5 * total) ** 0.75

    def inception(self, name, x):
        pooled = F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), 3, 1)
        branches = (
            self.relu(f"{name}.1x1", x),
            self.relu(f"{name}.3x3", self.relu(f"{name}.3x3_reduce", x), padding=1),
            self.relu(f"{name}.5x5", self.relu(f"{name}.5x5_reduce", x), padding=2),
            self.relu(f"{name}.pool_proj", pooled),
        )
        return torch.cat(branches, 1)

    def caffenet(self, image):
        """``voc-fcn-alexnet/net.py`` up to fc7."""
        x = self.norm(self.pool(self.relu("conv1", image, stride=4, padding=100)))
        x = self.norm(self.pool(self.relu("conv2", x, padding=2, groups=2)))
        x = self.relu("conv3", x, padding=1)
        x = self.relu("conv4", x, padding=1, groups=2)
        x = self.pool(self.relu("conv5", x, padding=1, groups=2))
        return self.conv("neck.fc7", self.conv("neck.fc6", x).relu()).relu()

    def googlenet(self, image):
        """``bvlc_googlenet/train_val.prototxt`` up to inception_5b."""
        x = self.norm(self.pool(self.relu("conv1_7x7_s2", image, stride=2, padding=100)))
        x = self.relu("conv2_3x3", self.relu("conv2_3x3_reduce", x), padding=1)
        x = self.pool(self.norm(x))
        for name in ("3a", "3b", "pool", "4a", "4b", "4c", "4d", "4e", "pool", "5a", "5b"):
            x = self.pool(x) if name == "pool" else self.inception(f"inception_{name}", x)
        return x

    def upscored(self, x, crop, size):
        score = self.conv("decode_head.score_fr", x)
        ramp = 1 - (torch.arange(63, dtype=score.dtype) - 31).abs() / 32
        kernel = torch.outer(ramp, ramp).expand(score.shape[1], 1, 63, 63)
        upscore = F.conv_transpose2d(score, kernel, stride=32, groups=score.shape[1])
        return upscore[:, :, crop : crop + size[0], crop : crop + size[1]]


@pytest.mark.parametrize("name, crop, trained", [("CaffeNet", 18, 16), ("GoogLeNet", 98, 2 * 58)])
@pytest.mark.parametrize("size", [(1, 1), (60, 97)])
def test_logits_and_gradients_equal_the_reference(name, crop, trained, size):
    init_default_scope("mmseg")
    neck = dict(type="FCConvNeck", in_channels=26, channels=5, fc6_kernel=6) if name == "CaffeNet" else None
    backbone, head = dict(type=name, width=0.1), dict(type="FCN32sHead", num_classes=3)
    model = MODELS.build(dict(type="AlignedEncoderDecoder", backbone=backbone, neck=neck, decode_head=head))
    torch.manual_seed(0)
    for parameter in model.double().eval().parameters():
        if parameter.requires_grad:
            scale = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim == 4 else 0.1
            torch.nn.init.normal_(parameter, 0, scale)
    image = 100 * torch.randn(2, 3, *size, dtype=torch.float64)
    logits = model(image, mode="tensor")
    weights = {key: p.detach().clone().requires_grad_() for key, p in model.named_parameters()}
    plain = Plain(weights)
    expected = plain.upscored(getattr(plain, name.lower())(image), crop, size)
    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected)
    for output in (logits, expected):
        output.sin().sum().backward()
    grads = {key: p.grad for key, p in model.named_parameters() if p.requires_grad}
    assert len(grads) == trained and all(grad.abs().sum() > 0 for grad in grads.values())
    for key, grad in grads.items():
        torch.testing.assert_close(grad, weights[key].grad, msg=lambda text, key=key: f"{key}: {text}")


def shapes(net):
    """(output channels, input channels of a group, side) of the convolutions, all of which have a bias."""
    found = {key.removesuffix(".weight"): tuple(p.shape[:3]) for key, p in net.named_parameters() if p.ndim == 4}
    assert set(net.state_dict()) == {f"{name}.{kind}" for name in found for kind in ("weight", "bias")}
    return found


def test_parameters_of_caffenet():
    with torch.device("meta"):
        net = CaffeNet()
    expected = dict(conv1=(96, 3, 11), conv2=(256, 48, 5), conv3=(384, 256, 3), conv4=(384, 192, 3))
    assert shapes(net) == expected | dict(conv5=(256, 192, 3))


def test_parameters_of_googlenet():
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
    assert len(expected) == 57 and shapes(net) == expected


@pytest.mark.parametrize("width", [0.001, 0.02, 0.33])
def test_channels_of_any_width(width):
    with torch.device("meta"):
        caffenet, googlenet = CaffeNet(width=width), GoogLeNet(width=width)
    assert caffenet.feature_maps[0].channels == max(2, 2 * round(128 * width))  # two groups divide it
    assert googlenet.feature_maps[0].channels == sum(max(1, round(planes * width)) for planes in (384, 384, 128, 128))


def test_dropout_of_googlenet_is_elementwise_and_before_the_scores_only():
    net = GoogLeNet(width=0.1, padding=18, out_indices=(3, 4))
    assert net.dropout.p == 0.4
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
