"""Narrow networks, exported and run by ONNX Runtime and by torch.export on images of other sizes."""

import json

import onnx
import onnxruntime as ort
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from testing.narrow_backbones import BACKBONES
from testing.utils import needs_torch
from torch import nn

from fcn_plugin.apis.export.check import CheckError
from fcn_plugin.apis.export.exporting import export_network, file_format
from fcn_plugin.weights.checkpoint import WeightsError
from fcn_plugin.weights.importing import file_checksums

pytestmark = needs_torch("2.8", "export")

SHAPE = (72, 96)
SAME = dict(fc6_kernel=3, fc6_padding="same")
RGB = dict(mean=[120.0, 110.0, 100.0], std=[60.0, 55.0, 50.0], bgr_to_rgb=True)
CAFFE = dict(mean=[104.0, 116.0, 122.0], std=[1.0, 1.0, 1.0], bgr_to_rgb=False)


def vgg(maps: int, padding: int, preprocessing: dict, neck: dict | None = None, **head) -> dict:
    backbone = dict(type="FCNVGG", depth=11, width=0.02, padding=padding)
    neck = dict(type="FCConvNeck", in_channels=10, channels=6, **(neck or {}))
    head = dict(type=f"FCN{(None, 32, 16, 8)[maps]}sHead", num_classes=4, **head)
    return aligned(backbone, head, preprocessing, neck=neck)


def aligned(backbone: dict, head: dict, preprocessing: dict, **model) -> dict:
    preprocessor = dict(type="SegDataPreProcessor", **preprocessing)
    return dict(
        type="AlignedEncoderDecoder", backbone=backbone, decode_head=head, data_preprocessor=preprocessor, **model
    )


RESNET = dict(BACKBONES["resnet18-v1c"], out_indices=(1, 2, 3))
NETWORKS = {
    "fcn32s-padding100": vgg(1, 100, CAFFE),
    "fcn16s-padding1-learnable": vgg(2, 1, RGB, SAME, learnable_upsampling=True, learnable_last_upsampling=True),
    "fcn8s-padding1": vgg(3, 1, CAFFE, SAME),
    "fcn8s-padding100-replicate": vgg(3, 100, RGB, border="replicate", skip_scales=[0.1, 0.5]),
    "fcn8s-resnet18": aligned(RESNET, dict(type="FCN8sHead", num_classes=4, border="replicate"), RGB),
}


def build(model: dict) -> nn.Module:
    with DefaultScope.overwrite_default_scope("mmseg"):
        return MODELS.build(model)


def write_network(folder, model: dict, **settings) -> tuple[Config, str]:
    """A config file and weights for it."""
    config = Config(dict(model=model, default_scope="mmseg", **settings))
    path = folder / "network.py"
    path.write_text(config.pretty_text)
    torch.manual_seed(0)
    built = build(model)
    for name, parameter in built.named_parameters():
        if "upscore" not in name:
            (nn.init.kaiming_normal_ if parameter.ndim == 4 else nn.init.normal_)(parameter)
        elif parameter.requires_grad:  # no longer bilinear
            parameter.data += 0.1 * torch.randn_like(parameter)
    torch.save(dict(state_dict=built.state_dict(), meta={}), folder / "network.pth")
    return Config.fromfile(path), str(folder / "network.pth")


def toolbox_logits(cfg: Config, weights: str, image: torch.Tensor) -> torch.Tensor:
    """Logits (C, H, W) of an image (C, H, W), BGR, by the toolbox's own steps."""
    model = build(cfg.model).eval()
    model.load_state_dict(torch.load(weights)["state_dict"])
    with torch.no_grad():
        return model(model.data_preprocessor(dict(inputs=[image]))["inputs"], mode="tensor")[0]


def assert_same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=float(1e-5 * (expected.max() - expected.min())))


def pictures(*sizes: tuple[int, int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8) for size in sizes]


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_follows_the_size_of_the_image(name, tmp_path):
    cfg, weights = write_network(tmp_path, NETWORKS[name])
    exported = export_network(cfg, weights, tmp_path / "network.onnx", shape=SHAPE)
    assert len(exported.differences) == 7 and all(0 <= one.largest < 1e-5 for one in exported.differences)
    session = ort.InferenceSession(exported.path, providers=["CPUExecutionProvider"])
    (logits,) = session.get_outputs()
    assert logits.shape == ["batch", 4, "height", "width"]
    for image in pictures((1, 1), (1, 150), (33, 2), (64, 64), (65, 129), (150, 95)):
        (actual,) = session.run(None, {"image": image[None].float().numpy()})
        assert actual.shape == (1, 4, *image.shape[1:])
        assert_same(torch.from_numpy(actual[0]), toolbox_logits(cfg, weights, image))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.onnx", "network.pth", "network.py"]


@pytest.mark.parametrize("name", ["fcn8s-padding100-replicate", "fcn8s-resnet18"])
def test_pt2_follows_the_size_of_the_image(name, tmp_path):
    cfg, weights = write_network(tmp_path, NETWORKS[name])
    exported = export_network(cfg, weights, tmp_path / "network.pt2", shape=SHAPE)
    assert len(exported.differences) == 7
    extra = {"metadata.json": ""}
    module = torch.export.load(exported.path, extra_files=extra).module()
    assert json.loads(extra["metadata.json"]) == exported.metadata
    for image in pictures((64, 64), (65, 129), (150, 95), (64, 200)):
        with torch.no_grad():
            assert_same(module(image[None].float())[0], toolbox_logits(cfg, weights, image))


FCN = dict(type="FCNHead", in_channels=32, in_index=2, channels=4, num_convs=1, num_classes=4)
OCR = dict(type="OCRHead", in_channels=32, in_index=2, channels=4, ocr_channels=4, num_classes=4)
PSP = dict(type="PSPHead", in_channels=10, channels=4, pool_scales=(1, 3), num_classes=4)
OF_THE_TOOLBOX = {
    "their head on their backbone": dict(type="EncoderDecoder", backbone=RESNET, decode_head=FCN),
    "cascade": dict(type="CascadeEncoderDecoder", num_stages=2, backbone=RESNET, decode_head=[FCN, OCR]),
    "their head on ours": dict(
        type="EncoderDecoder", backbone=dict(type="FCNVGG", depth=11, width=0.02, padding=1), decode_head=PSP
    ),
}


@pytest.mark.parametrize("name", OF_THE_TOOLBOX)
def test_segmentors_of_the_toolbox(name, tmp_path):
    """The logits are resized to the image, as the toolbox does it."""
    preprocessor = dict(type="SegDataPreProcessor", **RGB)
    model = dict(OF_THE_TOOLBOX[name], data_preprocessor=preprocessor, test_cfg=dict(mode="whole"))
    cfg, weights = write_network(tmp_path, model)
    exported = export_network(cfg, weights, tmp_path / "network.pt2", shape=SHAPE)
    module = torch.export.load(exported.path).module()
    built = build(cfg.model).eval()
    built.load_state_dict(torch.load(weights)["state_dict"])
    for image in pictures((64, 64), (65, 129), (150, 95)):
        (sample,) = built.test_step(dict(inputs=[image]))
        with torch.no_grad():
            logits = module(image[None].float())[0]
        assert_same(logits, sample.seg_logits.data)
        assert logits.shape == (4, *image.shape[1:]) and torch.equal(logits.argmax(0), sample.pred_sem_seg.data[0])


def test_size_divisor_pads_in_the_graph(tmp_path):
    """The amount of the padding depends on the size of the image, also if none is needed at the size of the export."""
    head = dict(type="FCN32sHead", num_classes=4)
    cfg, weights = write_network(tmp_path, aligned(dict(RESNET, out_indices=(3,)), head, RGB, size_divisor=32))
    exported = export_network(cfg, weights, tmp_path / "a.onnx", shape=(96, 128))
    assert any(height % 32 and width % 32 for height, width in (one.shape[2:] for one in exported.differences))


def test_file_describes_itself(tmp_path):
    names, colours = ["sky", "road", "tree", "car"], [[1, 2, 3], [4, 5, 6], [7, 8, 9], [0, 0, 0]]
    dataset = dict(type="BaseSegDataset", metainfo=dict(classes=names, palette=colours))
    cfg, weights = write_network(tmp_path, NETWORKS["fcn8s-resnet18"], test_dataloader=dict(dataset=dataset))
    fixed = dict(shape=(40, 48), fixed_size=True)
    export_network(cfg, weights, tmp_path / "a.onnx", opset=19, **fixed)
    model = onnx.load(tmp_path / "a.onnx")
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [19]
    assert json.loads(properties["classes"]) == names and json.loads(properties["palette"]) == colours
    assert properties["input"] == "image: float32 (batch, 3, height, width), BGR, 0..255"
    assert properties["channel_order"] == "BGR" and json.loads(properties["mean"]) == [0.0]
    assert properties["config"] == "network.py"
    assert properties["weights_sha256"] == file_checksums(tmp_path / "network.pth")["sha256"]
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 40, 48]

    prepared = export_network(cfg, weights, tmp_path / "b.onnx", prepared_input=True, **fixed).metadata
    assert prepared["input"].endswith("RGB, 0..255, then (image - mean) / std") and prepared["channel_order"] == "RGB"
    assert json.loads(prepared["mean"]) == RGB["mean"] and json.loads(prepared["std"]) == RGB["std"]
    session = ort.InferenceSession(tmp_path / "b.onnx", providers=["CPUExecutionProvider"])
    (image,) = pictures((40, 48))
    mean, std = (torch.tensor(RGB[key])[:, None, None] for key in ("mean", "std"))
    (actual,) = session.run(None, {"image": ((image.flip(0) - mean) / std)[None].numpy()})
    assert_same(torch.from_numpy(actual[0]), toolbox_logits(cfg, weights, image))


def test_baked_crop_is_found(tmp_path, monkeypatch):
    """A graph that crops to the size at which it was exported is refused, and leaves no file."""
    from fcn_plugin.models.decode_heads import FCNSkipHead

    cfg, weights = write_network(tmp_path, NETWORKS["fcn8s-padding1"])
    forward = FCNSkipHead.forward

    def baked(self, inputs):
        if torch.compiler.is_exporting():
            inputs.image_size = SHAPE
        return forward(self, inputs)

    monkeypatch.setattr(FCNSkipHead, "forward", baked)
    with pytest.raises(
        CheckError, match=r"makes logits of \(1, 4, 72, 96\) of images of 103 x 193 pixels, .* --fixed-size"
    ):
        export_network(cfg, weights, tmp_path / "network.onnx", shape=SHAPE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.pth", "network.py"]


@pytest.mark.parametrize(
    "name, opset, message",
    [
        ("a.tflite", None, "must end in .onnx or .pt2, got a.tflite"),
        ("a.pt2", 20, "an opset is for .onnx files, got a.pt2"),
        ("a.onnx", 9, "the opset must be 18 to "),
        ("a.onnx", 999, "the opset must be 18 to "),
    ],
)
def test_unknown_format(name, opset, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        file_format(tmp_path / name, opset)


def test_missing_packages(monkeypatch, tmp_path):
    monkeypatch.setattr("fcn_plugin.apis.export.onnx_file.find_spec", lambda name: None if "script" in name else name)
    with pytest.raises(ValueError, match=r'ONNX needs onnxscript: run `pip install "fcn_plugin\[export\]"`'):
        file_format(tmp_path / "a.onnx")


def test_wrong_input_is_refused_before_anything_is_written(tmp_path):
    cfg, weights = write_network(tmp_path, NETWORKS["fcn8s-padding1"])
    before = sorted(tmp_path.iterdir())

    def refused(error: type[Exception], message: str, out="a.pt2", of=weights, **arguments):
        with pytest.raises(error, match=message):
            export_network(cfg, of, tmp_path / out, **arguments)
        assert sorted(tmp_path.iterdir()) == before

    refused(ValueError, r"any size is exported at more than 64 pixels, got \(64, 90\)", shape=(64, 90))
    refused(FileNotFoundError, "there is no weight file missing.pth", of="missing.pth")
    refused(FileNotFoundError, "there is no directory", out="nowhere/a.pt2")
    cfg.model.decode_head.num_classes = 5
    refused(WeightsError, "has 4 classes, the config 5")


def test_existing_file_is_kept(tmp_path):
    cfg, weights = write_network(tmp_path, NETWORKS["fcn8s-padding1"])
    (tmp_path / "a.pt2").write_text("mine")
    with pytest.raises(FileExistsError, match="a.pt2 exists already: give another name"):
        export_network(cfg, weights, tmp_path / "a.pt2")
    assert (tmp_path / "a.pt2").read_text() == "mine"


def test_image_too_small_for_the_network(tmp_path):
    cfg, weights = write_network(tmp_path, vgg(1, 90, CAFFE))
    with pytest.raises(ValueError, match="images of 8 pixels are too small for this network: fc6"):
        export_network(cfg, weights, tmp_path / "a.onnx", shape=(8, 300), fixed_size=True)


SIGMOID = dict(type="CrossEntropyLoss", use_sigmoid=True)


def test_labels_of_a_single_score(tmp_path):
    """The file has logits of both classes, of which the larger is that of the toolbox, by its threshold."""
    head = dict(type="FCN32sHead", num_classes=2, out_channels=1, threshold=0.4, loss_decode=SIGMOID)
    network = aligned(dict(type="FCNVGG", depth=11, width=0.02, padding=1), head, RGB)
    cfg, weights = write_network(tmp_path, network)
    image = pictures((65, 129))[0]
    state = torch.load(weights)
    state["state_dict"]["decode_head.score_fr.bias"] -= toolbox_logits(cfg, weights, image).mean()
    torch.save(state, weights)
    exported = export_network(cfg, weights, tmp_path / "a.onnx", shape=SHAPE)
    assert all(one.labels > 0.99 for one in exported.differences)
    model = build(cfg.model).eval()
    model.load_state_dict(state["state_dict"])
    (expected,) = model.test_step(dict(inputs=[image]))
    session = ort.InferenceSession(exported.path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"image": image[None].float().numpy()})
    labels, clear = logits[0].argmax(0), (expected.seg_logits.data[0] - 0.4).abs() > 1e-4  # of no rounding
    assert logits.shape == (1, 2, 65, 129) and 0.2 < labels.mean() < 0.9 and clear.float().mean() > 0.99
    assert torch.equal(torch.from_numpy(labels)[clear], expected.pred_sem_seg.data[0].long()[clear])


def test_threshold_that_no_logit_meets(tmp_path):
    head = dict(type="FCN32sHead", num_classes=2, out_channels=1, threshold=1.0, loss_decode=SIGMOID)
    cfg, weights = write_network(tmp_path, aligned(dict(type="FCNVGG", depth=11, width=0.02, padding=1), head, RGB))
    with pytest.raises(ValueError, match="decode_head.threshold must lie between 0 and 1, got 1.0"):
        export_network(cfg, weights, tmp_path / "a.onnx", shape=SHAPE)


def test_grey_network_of_a_data_set_that_counts_from_one(tmp_path):
    backbone = dict(type="FCNVGG", depth=11, width=0.02, padding=1, in_channels=1)
    network = aligned(backbone, dict(type="FCN32sHead", num_classes=4), dict(mean=[120.0], std=[60.0]))
    dataset = dict(type="BaseSegDataset", metainfo=dict(classes=list("abcd")), reduce_zero_label=True)
    cfg, weights = write_network(tmp_path, network, test_dataloader=dict(dataset=dataset))
    metadata = export_network(cfg, weights, tmp_path / "a.onnx", shape=(40, 48), fixed_size=True).metadata
    assert metadata["input"] == "image: float32 (batch, 1, height, width), grey, 0..255"
    assert metadata["reduce_zero_label"] == "true"
