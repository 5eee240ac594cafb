"""That a comparison finds what is wrong, and where the sizes come from."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS

from fcn_plugin.apis.export.check import CheckError, check_sizes, compare, smallest_side
from fcn_plugin.apis.export.exporting import export_network
from fcn_plugin.apis.export.metadata import network_metadata
from fcn_plugin.apis.export.network import ExportableNetwork, prepare

PREPROCESSOR = dict(type="SegDataPreProcessor", mean=[120.0, 110.0, 100.0], std=[60.0, 55.0, 50.0], bgr_to_rgb=True)
BACKBONE = dict(type="FCNVGG", depth=11, width=0.02, padding=1, out_indices=(0,))
MODEL = dict(
    type="AlignedEncoderDecoder",
    data_preprocessor=PREPROCESSOR,
    backbone=BACKBONE,
    decode_head=dict(type="FCN32sHead", in_channels=[1], num_classes=6),
)


def build(**settings):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmseg"):
        model = MODELS.build({**MODEL, **settings})
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


@pytest.fixture
def network():
    return ExportableNetwork(prepare(build()), PREPROCESSOR)


def test_sizes_are_of_all_kinds():
    sizes = check_sizes((60, 80), 1)
    assert sizes[0] == (1, 60, 80) and (1, 1, 1) in sizes and len(set(sizes)) == len(sizes)
    assert any(height > 60 and width > 80 and width > height for _, height, width in sizes)
    assert any(height > 80 and width > 60 and height > width for _, height, width in sizes)
    assert any(height % 2 and width % 2 for _, height, width in sizes) and any(count > 1 for count, _, _ in sizes)


def test_preparation_is_that_of_the_toolbox(network):
    """The network's own means, deviations and channel order, against the data preprocessor's."""
    differences = compare(network, network, [(2, 9, 7), (1, 4, 4)])
    assert [one.shape for one in differences] == [(2, 3, 9, 7), (1, 3, 4, 4)]
    assert all(one.largest < 1e-6 and one.labels == 1 for one in differences)
    assert "2 x 9 x 7: largest difference" in str(differences[0])
    for wrong in (dict(PREPROCESSOR, bgr_to_rgb=False), dict(PREPROCESSOR, mean=[121.0, 110.0, 100.0])):
        with pytest.raises(CheckError, match="differ from the network's by"):
            compare(network, ExportableNetwork(network.model, wrong), [(1, 9, 7)])


@pytest.mark.parametrize(
    "run, message",
    [
        (lambda logits: logits[:, :, :8, :8], r"makes logits of \(1, 6, 8, 7\) of images of 9 x 7 pixels"),
        (lambda logits: logits[:, :5], "makes logits of"),
        (lambda logits: logits.roll(1, 3), "differ from the network's by"),
        (lambda logits: logits * float("nan"), "differ from the network's by nan"),
        (lambda logits: logits + 1e-3 * (logits.max() - logits.min()), "by 1.0e-03 of their range, more than 1e-04"),
        (lambda logits: logits.view(-1, 5, 8), "cannot compute logits of images of 9 x 7 pixels: "),
    ],
)
def test_differences_are_found(network, run, message):
    with pytest.raises(CheckError, match=message):
        compare(network, lambda image: run(network(image)), [(1, 9, 7)])


@pytest.mark.parametrize("padding, smallest", [(1, 1), (0, 4)])
def test_smallest_side(padding, smallest):
    """A 3x3 convolution without padding needs three pixels."""
    head = dict(MODEL["decode_head"], border="replicate")
    network = ExportableNetwork(
        prepare(build(backbone=dict(BACKBONE, padding=padding), decode_head=head)), PREPROCESSOR
    )
    assert smallest_side(network, 64) == smallest
    if smallest > 1:
        with pytest.raises(ValueError, match="images of 2 pixels are too small for this network: "):
            smallest_side(network, 2)


def test_prepare_switches_training_off():
    model = build(backbone=dict(BACKBONE, norm_cfg=dict(type="SyncBN")))
    model.backbone.reuse_padding = True
    prepared = prepare(model.train())
    assert not any(module.training for module in prepared.modules()) and not prepared.backbone.reuse_padding
    assert not any(parameter.requires_grad for parameter in prepared.parameters())
    assert not any(isinstance(module, torch.nn.SyncBatchNorm) for module in prepared.modules())


@pytest.mark.parametrize(
    "settings, message",
    [
        (
            dict(test_cfg=dict(mode="slide", crop_size=(9, 9), stride=(5, 5))),
            "in mode 'slide': set model.test_cfg",
        ),
    ],
)
def test_what_is_not_exported(settings, message):
    with pytest.raises(ValueError, match=message):
        prepare(build(**settings))


def test_an_older_pytorch(monkeypatch):
    """Nothing else is looked at."""
    monkeypatch.setattr(torch, "__version__", "2.7.1")
    with pytest.raises(ValueError, match=r"^export needs PyTorch 2.8 or newer, but 2.7.1 is installed$"):
        export_network(Config(), "missing.pth", "a.onnx")


def test_segmentors_of_another_kind_are_not_exported():
    with pytest.raises(ValueError, match="an EncoderDecoder, or what derives from it, can be exported; got Conv2d"):
        prepare(torch.nn.Conv2d(1, 1, 1))


def test_metadata(network, tmp_path):
    """Classes are those of the weights or the config; nothing is said of what is not known."""
    (tmp_path / "shapes.py").write_text(Config(dict(model=MODEL)).pretty_text)
    cfg = Config.fromfile(tmp_path / "shapes.py")
    colours = [[0, 0, i] for i in range(6)]
    metadata = network_metadata(cfg, network, dict(dataset_meta=dict(classes=list("abcdef"), palette=colours)), "abc")
    assert json.loads(metadata["classes"]) == list("abcdef") and json.loads(metadata["palette"]) == colours
    assert metadata["config"] == "shapes.py" and metadata["weights_sha256"] == "abc"
    assert all(isinstance(value, str) for value in metadata.values())
    assert not {"classes", "palette"} & network_metadata(cfg, network, {}, "abc").keys()
