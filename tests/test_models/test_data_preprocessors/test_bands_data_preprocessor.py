import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from fcn_plugin.models.backbones import FCNVGG
from fcn_plugin.models.data_preprocessors import BandsDataPreProcessor


def batch(*sizes, bands=4) -> dict:
    generator = torch.Generator().manual_seed(0)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=torch.zeros(1, *size, dtype=torch.long))) for size in sizes]
    return dict(inputs=[1000 * torch.rand(bands, *size, generator=generator) for size in sizes], data_samples=samples)


MEAN, STD = [1.0, 20.0, 300.0, 4000.0], [1.0, 2.0, 4.0, 8.0]


def test_values_and_padding():
    with DefaultScope.overwrite_default_scope("mmseg"):
        preprocessor = MODELS.build(dict(type="BandsDataPreProcessor", mean=MEAN, std=STD, size_divisor=8))
    data = batch((5, 6), (7, 9))
    made = preprocessor(data, training=True)
    assert made["inputs"].shape == (2, 4, 8, 16)
    for band in range(4):
        expected = (data["inputs"][0][band] - MEAN[band]) / STD[band]
        assert torch.equal(made["inputs"][0, band, :5, :6], expected)
    assert not made["inputs"][0, :, 5:].any() and not made["inputs"][0, :, :, 6:].any()  # zeros after the mean
    labels = made["data_samples"][0].gt_sem_seg.data
    assert labels.shape == (1, 8, 16) and (labels[:, 5:] == 255).all() and not labels[:, :5, :6].any()


def test_padding_in_testing():
    preprocessor = BandsDataPreProcessor(MEAN, STD, size_divisor=1, test_cfg=dict(size_divisor=32))
    assert preprocessor(batch((40, 48)))["inputs"].shape == (1, 4, 64, 64)


def test_three_bands_as_the_toolbox():
    settings = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], bgr_to_rgb=True, size_divisor=4)
    ours, theirs = (
        kind(**settings)(batch((5, 6), bands=3), training=True) for kind in (BandsDataPreProcessor, SegDataPreProcessor)
    )
    assert torch.equal(ours["inputs"], theirs["inputs"])


def test_the_padding_of_a_backbone_is_the_mean():
    """A picture framed by its mean is what the backbone's own padding makes of the picture."""
    torch.manual_seed(0)
    preprocessor = BandsDataPreProcessor(MEAN, STD)
    backbone = FCNVGG(11, padding=9, in_channels=4, width=0.05).eval()
    image = batch((20, 24))["inputs"][0]
    framed = torch.tensor(MEAN).view(4, 1, 1).repeat(1, 36, 40)
    framed[:, 8:28, 8:32] = image
    padded = backbone(preprocessor(dict(inputs=[image]))["inputs"])
    plain = FCNVGG(11, padding=1, in_channels=4, width=0.05).eval()
    plain.load_state_dict(backbone.state_dict())
    expected = plain(preprocessor(dict(inputs=[framed]))["inputs"])
    for one, other in zip(padded, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(mean=[1.0, 2.0], std=[1.0]), "one value for each band, got 2 and 1 values"),
        (dict(mean=[], std=[]), "got 0 and 0 values"),
        (dict(mean=[1.0], std=[0.0]), "std positive and finite"),
        (dict(mean=[float("nan")], std=[1.0]), "mean must be finite"),
        (dict(mean=MEAN, std=STD, bgr_to_rgb=True), "bgr_to_rgb is for three bands, and there are 4 means"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        BandsDataPreProcessor(**settings)


@pytest.mark.parametrize("bands", [1, 3, 5])
def test_wrong_pictures(bands):
    with pytest.raises(ValueError, match=f"has 4 means, and a picture {bands} bands: give model.data_preprocessor"):
        BandsDataPreProcessor(MEAN, STD)(batch((5, 6), bands=bands))
