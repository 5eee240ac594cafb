"""tools/export.py as a process of its own: its file says what the toolbox says."""

import json

import cv2
import numpy as np
import onnxruntime as ort
import pytest
import torch
from mmseg.apis import inference_model, init_model
from testing.utils import needs_torch, run_tool, tiny_config
from torch import nn

pytestmark = needs_torch("2.8", "export")


@pytest.fixture
def fcn16s(tmp_path, voc):
    """A config of a narrow FCN-16s, and weights for it."""
    config = tiny_config(tmp_path, voc, "fcn16s_vgg16_camvid")
    torch.manual_seed(0)
    model = init_model(str(config), device="cpu")
    for name, parameter in model.named_parameters():
        if "upscore" not in name:
            (nn.init.kaiming_normal_ if parameter.ndim == 4 else nn.init.normal_)(parameter)
    weights = tmp_path / "fcn16s.pth"
    torch.save(dict(state_dict=model.state_dict(), meta={}), weights)
    return config, weights


def test_file_labels_a_picture_as_the_toolbox_does(fcn16s, voc, tmp_path):
    config, weights = fcn16s
    out = run_tool("export.py", config, weights, "--out", "a.onnx", "--shape", 72, 80, cwd=tmp_path).check()
    assert "image: float32 (batch, 3, height, width), BGR, 0..255\n" in out.stdout
    assert "classes: sky, building, pole" in out.stdout.lower() and out.stdout.count("largest difference") == 7
    session = ort.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    properties = session.get_modelmeta().custom_metadata_map
    assert properties["config"] == config.name and len(json.loads(properties["classes"])) == 11
    picture = str(voc / "JPEGImages/image0.jpg")
    image = cv2.imread(picture)
    (logits,) = session.run(["logits"], {"image": image.transpose(2, 0, 1)[None].astype(np.float32)})
    expected = inference_model(init_model(str(config), str(weights), device="cpu"), picture)
    labels = expected.pred_sem_seg.data[0].numpy()
    assert len(np.unique(labels)) > 1 and np.array_equal(logits[0].argmax(0), labels)
    np.testing.assert_allclose(logits[0], expected.seg_logits.data.numpy(), rtol=0, atol=1e-4 * np.ptp(logits))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["{weights}", "--out", "a.tflite"], "the file to write must end in .onnx or .pt2, got a.tflite"),
        (["b.pth", "--out", "a.onnx"], "there is no weight file b.pth"),
        (
            ["{weights}", "--out", "a.onnx", "--cfg-options", "model.decode_head.num_classes=3"],
            "the checkpoint has 11 classes, the config 3: set model.decode_head.num_classes",
        ),
        (["{weights}", "--out", "a.onnx", "--shape", "9", "9"], "a network for images of any size is exported"),
    ],
)
def test_wrong_input(fcn16s, refuses, arguments, message):
    config, weights = fcn16s
    refuses(message, "export", config, *(argument.format(weights=weights) for argument in arguments))
