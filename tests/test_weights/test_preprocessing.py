import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from testing import weight_files as files

from fcn_plugin import config_dir
from fcn_plugin.weights.checkpoint import WeightsError
from fcn_plugin.weights.layer_names import canonical
from fcn_plugin.weights.preprocessing import (
    CAFFE,
    RGB_255,
    TORCHVISION,
    check_preprocessing,
    fold_preprocessing,
    preprocessing_of,
)


@pytest.mark.parametrize(
    "expected",
    [
        CAFFE,
        dict(CAFFE, mean=[103.939, 116.779, 123.68]),  # the VGG authors' and Keras's
        dict(CAFFE, mean=[103.53, 116.28, 123.675]),  # torchvision's, folded
    ],
)
def test_agreeing_preprocessing(expected):
    check_preprocessing(expected, Config.fromfile(config_dir() / "fcn8s_vgg16_voc.py").model.data_preprocessor, "w")


@pytest.mark.parametrize(
    "expected, options",
    [
        (
            TORCHVISION,
            "model.data_preprocessor.bgr_to_rgb=True model.data_preprocessor.mean=[123.675,116.28,103.53]"
            " model.data_preprocessor.std=[58.395,57.12,57.375]",
        ),
        (RGB_255, "model.data_preprocessor.bgr_to_rgb=True model.data_preprocessor.mean=[123.675,116.28,103.53]"),
        (dict(CAFFE, std=[255.0] * 3), "model.data_preprocessor.std=[255.0,255.0,255.0]"),
        (dict(CAFFE, mean=[0.0] * 3), "model.data_preprocessor.mean=[0.0,0.0,0.0]"),
        (dict(CAFFE, mean=[104.0, 116.7, 122.7, 90.0]), "model.data_preprocessor.mean=[104.0,116.7,122.7,90.0]"),
    ],
)
def test_mismatch_says_what_to_change(expected, options):
    """Exactly the settings that differ are named, and setting them settles it."""
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_voc.py")
    with pytest.raises(WeightsError) as error:
        check_preprocessing(expected, cfg.model.data_preprocessor, "vgg.pth")
    assert str(error.value).startswith("vgg.pth expects ") and str(error.value).endswith(f"--cfg-options {options}")
    for option in options.split():
        key, value = option.split("=")
        cfg.merge_from_dict({key: eval(value)})
    check_preprocessing(expected, cfg.model.data_preprocessor, "vgg.pth")


def test_no_preprocessing_means_raw_bgr():
    assert preprocessing_of(dict(type="SegDataPreProcessor")) == dict(bgr_to_rgb=False, mean=[0.0], std=[1.0])
    check_preprocessing(dict(CAFFE, mean=[0.0] * 3), dict(), "w")
    with pytest.raises(WeightsError, match=r"mean=\[104.00699"):
        check_preprocessing(CAFFE, dict(), "w")


@pytest.mark.parametrize("padding", [1, 100])
@pytest.mark.parametrize("old", [TORCHVISION, RGB_255, dict(TORCHVISION, bgr_to_rgb=False)])
def test_folding_changes_no_output(padding, old):
    """The whole segmentor, its input preparation included, gives the same logits: also where the image is padded."""
    init_default_scope("mmseg")
    cfg = Config.fromfile(config_dir() / "fcn32s_vgg16_voc.py").model
    cfg.backbone.update(width=0.05, padding=padding, init_cfg=None)
    cfg.neck.update(in_channels=26, channels=16, init_cfg=None, fc6_padding=0 if padding == 100 else "same")
    cfg.decode_head.update(in_channels=[16], num_classes=5)
    model, folded = MODELS.build(cfg).eval(), MODELS.build(cfg).eval()
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0, (2 / parameter[0].numel()) ** 0.5 if parameter.ndim == 4 else 0.1)
    state_dict = model.state_dict()
    before = {key: value.clone() for key, value in state_dict.items()}
    weights, new = fold_preprocessing(state_dict, old)
    folded.load_state_dict(weights)
    assert not new["bgr_to_rgb"] and new["std"] == [1.0] * 3
    assert all(torch.equal(value, before[key]) for key, value in state_dict.items())  # the given ones are not changed

    image = torch.randint(0, 256, (3, 37, 50), dtype=torch.uint8)
    outputs = []
    for net, preprocessing in ((model, old), (folded, new)):
        preprocessor = MODELS.build({**cfg.data_preprocessor, **preprocessing}).eval()
        inputs = preprocessor(dict(inputs=[image], data_samples=None))["inputs"]
        with torch.no_grad():
            outputs.append(net(inputs, mode="tensor"))
    scale = outputs[0].max() - outputs[0].min()
    assert scale > 0.01 and (outputs[0] - outputs[1]).abs().max() <= 1e-4 * scale


@pytest.mark.parametrize("first", ["conv1_1", "conv1", "conv1_7x7_s2"])
def test_folding_by_hand(first):
    """One weight per channel: red / 50, green / 40, blue / 20, and the channels in reverse order."""
    weights = {f"backbone.{first}.weight": torch.tensor([100.0, 80.0, 60.0]).reshape(1, 3, 1, 1)}
    folded, new = fold_preprocessing(weights, dict(bgr_to_rgb=True, mean=[1.0, 2.0, 3.0], std=[50.0, 40.0, 20.0]))
    assert folded[f"backbone.{first}.weight"].flatten().tolist() == [3.0, 2.0, 2.0]
    assert new == dict(bgr_to_rgb=False, mean=[3.0, 2.0, 1.0], std=[1.0, 1.0, 1.0])


def test_folding_needs_a_first_convolution():
    weights = canonical({"fc6.weight": torch.zeros(2, 2, 1, 1)})
    with pytest.raises(WeightsError, match="no first convolution of 3 input channels to fold RGB"):
        fold_preprocessing(weights, TORCHVISION)
    fold_preprocessing(canonical(files.reference_weights()), TORCHVISION)
