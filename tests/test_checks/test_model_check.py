import pytest
from mmengine.config import Config

from fcn_plugin import config_dir
from fcn_plugin.checks.model import check_model
from fcn_plugin.checks.weights import check_expectations, expectations_of, model_to_check
from fcn_plugin.weights.checkpoint import WeightsError
from fcn_plugin.weights.preprocessing import CAFFE, TORCHVISION


def fcn8s(**options):
    cfg = Config.fromfile(config_dir() / "fcn8s_vgg16_voc.py")
    cfg.merge_from_dict(options)
    return cfg


def resnet18(segmentor="EncoderDecoder", **head):
    head = {"type": "FCN8sHead", "in_channels": [128, 256, 512], "num_classes": 3, **head}
    return Config(dict(model=dict(type=segmentor, backbone=dict(type="ResNet", depth=18), decode_head=head)))


def test_geometry_of_a_backbone_of_the_toolbox():
    check_model(resnet18("AlignedEncoderDecoder"))
    with pytest.raises(ValueError, match="FCN8sHead needs .* ResNet does not tell: set model.type='AlignedEncoderDeco"):
        check_model(resnet18(geometry=[dict(stride=s, offset=0) for s in (8, 16, 32)]))
    with pytest.raises(ValueError, match=r"in_channels=\[512, 1024, 2048\] .* 1: 128 channels at stride 8"):
        check_model(resnet18("AlignedEncoderDecoder", in_channels=[512, 1024, 2048]))


def test_geometry_of_heads_of_the_toolbox():
    cfg = fcn8s()
    cfg.model.decode_head = dict(type="PSPHead", in_channels=512, in_index=1, channels=4, num_classes=3)
    with pytest.raises(ValueError, match=r"PSPHead stretches map 1 over the image, but it lies at .*offset -91.5"):
        check_model(cfg)
    cfg.model.backbone.padding = 1
    check_model(cfg)
    check_model(resnet18(type="PSPHead", in_channels=512, channels=4))
    with pytest.raises(ValueError, match="there is no 'NoHead' among the toolbox's models"):
        check_model(resnet18(type="NoHead"))


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"model.decode_head.in_channels": [256, 512, 512]},
            r"in_channels=\[256, 512, 512\] .* 1: 512 channels at stride 16, 2: 4096 channels at stride 32: leave",
        ),
        (
            {"model.backbone.width": 0.5},
            "FCConvNeck does not take the maps of the backbone .128 channels at stride 8; .*set model.neck.in_ch",
        ),
        ({"model.backbone.padding": 1}, "does not reach the first 68 pixel.*pad fc6"),
    ],
)
def test_parts_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        check_model(fcn8s(**options))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"model.decode_head.in_channels": [5, 6]}, "fcn8s_vgg16_voc.py cannot be built: .*"),
        (
            {"model.decode_head.loss_decode.class_weight": [1.0, 2.0]},
            "must list one weight for each of 21 classes, got 2",
        ),
        ({"model.decode_head.sampler": dict(type="PatchPixelSampler", keep_prob=2)}, "keep_prob must be .* got 2"),
        ({"model.backbone.type": "FCNVVG"}, r"model\.backbone\.type: there is no 'FCNVVG' .*, did you mean 'FCNVGG'\?"),
        (
            {"model.backbone.detph": 16},
            r"model\.backbone\.detph: FCNVGG has no setting 'detph', did you mean 'depth'\?",
        ),
    ],
)
def test_model_that_cannot_be_built(options, message):
    cfg = fcn8s()
    check_model(cfg)
    cfg.merge_from_dict(options)
    with pytest.raises(ValueError, match=message):
        check_model(cfg)


def test_expectations_of_a_model_that_leaves_its_preparation_to_the_segmentor():
    """They are those of the built model, also of one without values."""
    head = dict(type="FCN8sHead", num_classes=3)
    backbone = dict(type="ResNetV1c", depth=18, out_indices=(1, 2, 3))
    model = model_to_check(Config(dict(model=dict(type="AlignedEncoderDecoder", backbone=backbone, decode_head=head))))
    assert next(model.backbone.parameters()).is_meta
    assert expectations_of(model) == dict(preprocessing=TORCHVISION, skip_scales=[1.0, 1.0])
    with pytest.raises(WeightsError, match="expects BGR images"):
        check_expectations(dict(preprocessing=CAFFE), model, "weights")
