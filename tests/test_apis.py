"""Prediction through the toolbox's own functions."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.apis import MMSegInferencer, inference_model, init_model
from mmseg.registry import MODELS
from PIL import Image

from fcn_plugin import config_dir


@pytest.fixture
def trained(tmp_path):
    """The shapes config, a checkpoint of random weights, and the model that it was saved from."""
    config = str(config_dir() / "fcn32s_vgg16_shapes.py")
    init_default_scope("mmseg")
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model)
    torch.nn.init.normal_(model.decode_head.score_fr.weight, 0, 1.0)
    checkpoint = str(tmp_path / "weights.pth")
    meta = dict(dataset_meta=dict(classes=tuple("abcdef"), palette=[[i, 2 * i, 3 * i] for i in range(6)]))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), checkpoint)
    return config, checkpoint, model.eval()


def picture(height, width):
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(50, 71), (1, 1), (33, 200)])
def test_inference_model(trained, size):
    config, checkpoint, reference = trained
    model = init_model(config, checkpoint, device="cpu")
    image = picture(*size)
    result = inference_model(model, image)
    data = reference.data_preprocessor(dict(inputs=[torch.from_numpy(image).permute(2, 0, 1)]))
    with torch.no_grad():
        expected = reference(data["inputs"], mode="tensor").argmax(1)
    assert result.pred_sem_seg.data.shape == (1, *size)
    assert torch.equal(result.pred_sem_seg.data, expected)
    assert model.dataset_meta["classes"] == tuple("abcdef")


def test_inferencer_reads_and_writes_files(trained, tmp_path):
    config, checkpoint, _ = trained
    file = tmp_path / "picture.png"
    Image.fromarray(picture(60, 47)).save(file)
    inferencer = MMSegInferencer(Config.fromfile(config), checkpoint, device="cpu")
    inferencer(str(file), out_dir=str(tmp_path / "out"), show=False)
    written = np.array(Image.open(next((tmp_path / "out" / "pred").iterdir())))
    direct = inference_model(init_model(config, checkpoint, device="cpu"), str(file))
    assert written.shape == (60, 47) and (written == direct.pred_sem_seg.data[0].numpy()).all()
