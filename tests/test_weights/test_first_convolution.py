"""Weights of three bands in networks of other bands: sums by hand, by each way in which weights get into a network."""

import logging

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from testing import weight_files as files
from testing.utils import WIDTH
from torch import nn

from fcn_plugin.checks.weights import check_expectations, check_pretrained
from fcn_plugin.models.backbones import FCNVGG, CaffeNet, GoogLeNet
from fcn_plugin.weights.checkpoint import WeightsError
from fcn_plugin.weights.first_convolution import adapt_bands, first_convolution, with_bands
from fcn_plugin.weights.importing import import_weights
from fcn_plugin.weights.loading import part_weights
from fcn_plugin.weights.preprocessing import CAFFE, TORCHVISION
from fcn_plugin_cli import main as cli

RESNET = dict(
    type="ResNet",
    depth=18,
    num_stages=1,
    strides=(1,),
    dilations=(1,),
    out_indices=(0,),
    stem_channels=8,
    base_channels=4,
)


@pytest.fixture
def told():
    """What is logged meanwhile."""
    texts, handler = [], logging.Handler()
    handler.emit = lambda record: texts.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield texts
    logger.removeHandler(handler)


def build(settings: dict) -> nn.Module:
    with DefaultScope.overwrite_default_scope("mmseg"):
        return MODELS.build(settings)


def vgg_file(tmp_path, depth: int = 11) -> tuple[str, dict]:
    tensors = files.reference_weights(depth)
    torch.save(files.torchvision_names(tensors), tmp_path / "vgg.pth")
    return str(tmp_path / "vgg.pth"), tensors


@pytest.mark.parametrize(
    ("bands", "expected"),
    [
        (1, [111.0]),
        (2, [1.5, 15.0]),
        (4, [0.75, 7.5, 75.0, 0.75]),
        (5, [0.6, 6.0, 60.0, 0.6, 6.0]),
        (6, [0.5, 5.0, 50.0, 0.5, 5.0, 50.0]),
    ],
)
def test_sums(bands, expected):
    weight = torch.tensor([1.0, 10.0, 100.0]).view(1, 3, 1, 1).expand(2, 3, 5, 7)
    adapted = adapt_bands(weight, bands)
    assert adapted.shape == (2, bands, 5, 7)
    torch.testing.assert_close(adapted, torch.tensor(expected).view(1, bands, 1, 1).expand_as(adapted))


class TestBackbones:
    @pytest.mark.parametrize("bands", [1, 4, 6])
    def test_pretrained(self, bands, tmp_path, told):
        path, tensors = vgg_file(tmp_path)
        backbone = FCNVGG(11, 1, bands, width=WIDTH, init_cfg=dict(type="Pretrained", checkpoint=path)).eval()
        backbone.init_weights()
        for key, value in backbone.state_dict().items():
            expected = adapt_bands(tensors[key], bands) if key == "conv1_1.weight" else tensors[key]
            assert torch.equal(value, expected), key
        assert [text for text in told if "bands" in text] == [
            "conv1_1.weight: weights of 3 bands for"
            + (" 1 (summed)" if bands == 1 else f" {bands} (repeated in turn, and scaled by 3/{bands})")
        ]

    def test_grey_is_what_it_was_as_colour(self, tmp_path):
        path, _ = vgg_file(tmp_path)
        colour, grey, six = (
            FCNVGG(11, 1, bands, width=WIDTH, init_cfg=dict(type="Pretrained", checkpoint=path)).eval()
            for bands in (3, 1, 6)
        )
        image = torch.randn(1, 1, 32, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        for backbone in (colour, grey, six):
            backbone.init_weights()
            backbone.double()
        expected = colour(image.repeat(1, 3, 1, 1))
        for maps in (grey(image), six(image.repeat(1, 6, 1, 1))):
            for one, other in zip(maps, expected, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-3)  # the sums are rounded to float32

    @pytest.mark.parametrize("kind", [FCNVGG, CaffeNet, GoogLeNet])
    def test_backbones_take_bands(self, kind):
        assert first_convolution(kind(in_channels=5, width=WIDTH))[1].in_channels == 5
        own = {f"backbone.{key}": value for key, value in kind(width=WIDTH).state_dict().items()}
        found = part_weights(kind(in_channels=5, width=WIDTH), "backbone", own)
        key = f"{first_convolution(kind(width=WIDTH))[0]}.weight"
        assert torch.equal(found[key], adapt_bands(own[f"backbone.{key}"], 5))

    def test_other_differences_stay_errors(self, tmp_path, told):
        path, _ = vgg_file(tmp_path)
        init = dict(type="Pretrained", checkpoint=path)
        for settings in (dict(in_channels=4, width=2 * WIDTH), dict(in_channels=4, depth=13)):
            with pytest.raises(WeightsError, match="does not fit FCNVGG"):
                FCNVGG(**{"depth": 11, "width": WIDTH, "init_cfg": init, **settings}).init_weights()
        four = {f"backbone.{key}": value for key, value in FCNVGG(11, 1, 4, width=WIDTH).state_dict().items()}
        for bands in (3, 5):  # a network of four bands is for four
            with pytest.raises(WeightsError, match="conv1_1.weight .*, 4, 3, 3. for"):
                part_weights(FCNVGG(11, 1, bands, width=WIDTH), "backbone", four)


class TestToolbox:
    @pytest.mark.parametrize("bands", [1, 4])
    @pytest.mark.parametrize("prefix", [None, "backbone."])
    def test_pretrained(self, bands, prefix, tmp_path, told):
        weights = build(RESNET).state_dict()
        torch.save(dict(state_dict={f"{prefix or ''}{key}": v for key, v in weights.items()}), tmp_path / "a.pth")
        init = dict(type="Pretrained", checkpoint=str(tmp_path / "a.pth"), prefix=prefix)
        backbone = build(dict(RESNET, in_channels=bands, init_cfg=init))
        backbone.init_weights()
        for key, value in backbone.state_dict().items():
            expected = adapt_bands(weights[key], bands) if key == "conv1.weight" else weights[key]
            assert torch.equal(value, expected), key
        assert sum("conv1.weight: weights of 3 bands for" in text for text in told) == 1
        assert not any("mismatch" in text for text in told)

    def test_other_loading_is_as_it_was(self, tmp_path, told):
        weights, backbone = build(RESNET).state_dict(), build(dict(RESNET, in_channels=4))
        with pytest.raises(RuntimeError, match="size mismatch for conv1.weight"):
            backbone.load_state_dict(weights)
        torch.save(dict(state_dict=weights), tmp_path / "a.pth")
        init = dict(type="Pretrained", checkpoint=str(tmp_path / "a.pth"))
        wide = build(dict(RESNET, stem_channels=9, in_channels=4, init_cfg=init))
        wide.init_weights()
        assert any("size mismatch for conv1.weight" in text for text in told)  # in the toolbox's words
        assert not any("weights of 3 bands" in text for text in told)
        backbone = build(dict(RESNET, in_channels=4, init_cfg=init))
        backbone.init_weights()
        with pytest.raises(RuntimeError, match="size mismatch for conv1.weight"):  # no hook is left
            backbone.load_state_dict(weights)


class TestExpectations:
    def model(self, bands: int, means: list) -> nn.Module:
        preprocessor = dict(type="BandsDataPreProcessor", mean=means, std=[1.0] * len(means))
        model = nn.Module()
        model.backbone, model.data_preprocessor = FCNVGG(11, 1, bands, width=WIDTH), build(preprocessor)
        return model

    def test_other_bands_have_their_own_means(self):
        for bands in (1, 4):
            check_expectations(dict(preprocessing=CAFFE), self.model(bands, [7.0] * bands), "vgg.pth")

    def test_three_bands_have_those_of_the_weights(self):
        with pytest.raises(WeightsError, match="expects BGR images"):
            check_expectations(dict(preprocessing=CAFFE), self.model(3, [7.0] * 3), "vgg.pth")
        four = dict(bgr_to_rgb=False, mean=[7.0] * 4, std=[1.0] * 4)
        check_expectations(dict(preprocessing=four), self.model(4, [7.0] * 4), "own.pth")
        with pytest.raises(WeightsError, match="mean 7,7,7,7"):
            check_expectations(dict(preprocessing=four), self.model(4, [17.0] * 4), "own.pth")

    def test_deep_colours_have_their_own_values(self, tmp_path):
        """Those of 16 bits; the order of the colours is that of the weights all the same."""
        weights = {f"backbone.{key}": value for key, value in FCNVGG(11, 1, width=WIDTH).state_dict().items()}
        torch.save(dict(state_dict=weights, meta=dict(preprocessing=TORCHVISION)), tmp_path / "vgg.pth")
        model, path = self.model(3, [20000.0] * 3), str(tmp_path / "vgg.pth")
        with pytest.raises(WeightsError, match="model.data_preprocessor.bgr_to_rgb=True$"):
            check_pretrained(path, ["backbone"], model)
        model.data_preprocessor = build(
            dict(type="BandsDataPreProcessor", mean=[20000.0] * 3, std=[9000.0] * 3, bgr_to_rgb=True)
        )
        check_pretrained(path, ["backbone"], model)
        model.data_preprocessor = build(dict(type="SegDataPreProcessor", mean=[20.0] * 3, std=[9.0] * 3))
        with pytest.raises(WeightsError, match="data_preprocessor.mean="):
            check_pretrained(path, ["backbone"], model)


class TestImport:
    def test_command(self, tmp_path, capsys):
        path, tensors = vgg_file(tmp_path, 16)
        cli.main(["import", path, str(tmp_path / "out.pth"), "--in-channels", "4", "--preprocessing", "torchvision"])
        imported = import_weights(tmp_path / "out.pth")["state_dict"]
        assert torch.equal(imported["backbone.conv1_1.weight"], adapt_bands(tensors["conv1_1.weight"], 4))
        assert torch.equal(imported["backbone.conv1_2.weight"], tensors["conv1_2.weight"])
        assert (
            "input RGB images, mean 123.7,116.3,103.5, std 58.4,57.12,57.38, before they were adapted to 4 bands"
            in (capsys.readouterr().out)
        )

    @pytest.mark.parametrize(
        ("weights", "bands", "message"),
        [
            (
                {"backbone.a.weight": torch.zeros(2, 4, 3, 3)},
                5,
                "x cannot be adapted to 5 bands: backbone.a.weight takes 4",
            ),
            ({"neck.a.weight": torch.zeros(2, 3, 3, 3)}, 5, "there is no convolution, expected one of 3 bands"),
            ({"backbone.a.weight": torch.zeros(2, 3, 3, 3)}, 0, "the number of bands must be 1 or more, got 0"),
        ],
    )
    def test_wrong(self, weights, bands, message):
        with pytest.raises(ValueError, match=message):
            with_bands(weights, bands, "x")
