"""Prediction through the toolbox's own functions, also with a model of our init_model."""

import sys

import mmseg.apis
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.registry import init_default_scope
from mmseg.apis import MMSegInferencer, inference_model
from mmseg.registry import MODELS
from PIL import Image
from testing.utils import run

from fcn_plugin import config_dir
from fcn_plugin.apis import init_model
from fcn_plugin.weights.checkpoint import WeightsError


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
    log = dict(log_scalars={"train/loss": HistoryBuffer([1.0], [1])})  # as a training saves it
    torch.save(dict(state_dict=model.state_dict(), meta=meta, message_hub=log), checkpoint)
    return config, checkpoint, model.eval()


def picture(height, width):
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("init", [mmseg.apis.init_model, init_model], ids=["toolbox", "ours"])
@pytest.mark.parametrize("size", [(50, 71), (1, 1), (33, 200)])
def test_inference_model(trained, size, init):
    config, checkpoint, reference = trained
    model = init(config, checkpoint, device="cpu")
    image = picture(*size)
    result = inference_model(model, image)
    data = reference.data_preprocessor(dict(inputs=[torch.from_numpy(image).permute(2, 0, 1)]))
    with torch.no_grad():
        expected = reference(data["inputs"], mode="tensor").argmax(1)
    assert result.pred_sem_seg.data.shape == (1, *size)
    assert torch.equal(result.pred_sem_seg.data, expected)
    assert list(model.dataset_meta["classes"]) == list("abcdef") and len(model.dataset_meta["palette"]) == 6


def test_our_model_takes_the_pipeline_that_it_is_tested_with(trained):
    """Of a given config, which stays as it is; its name may have a scope, and labels are not loaded."""
    cfg = Config.fromfile(trained[0])
    cfg.test_dataloader.dataset.pipeline = [
        dict(type="mmseg.LoadImageFromFile"),
        dict(type="Resize", scale_factor=0.5),
        dict(type="mmseg.LoadAnnotations"),
        dict(type="PackSegInputs"),
    ]
    before = cfg.to_dict()
    model = init_model(cfg, trained[1], "cpu", {"work_dir": "x"})
    assert [step["type"] for step in model.cfg.test_pipeline] == ["mmseg.LoadImageFromFile", "Resize", "PackSegInputs"]
    result = inference_model(model, picture(50, 71))
    assert result.img_shape == (25, 36) and result.pred_sem_seg.data.shape == (1, 50, 71)
    assert cfg.to_dict() == before and model.cfg.work_dir == "x" and not model.training


def test_our_model_checks_its_weights(trained, tmp_path):
    config, checkpoint, _ = trained
    with pytest.raises(WeightsError, match="has 6 classes, the config 7"):
        init_model(config, checkpoint, "cpu", {"model.decode_head.num_classes": 7})
    with pytest.raises(FileNotFoundError, match="there is no weight file .*missing.pth"):
        init_model(config, str(tmp_path / "missing.pth"), "cpu")


def test_inferencer_reads_and_writes_files(trained, tmp_path):
    config, checkpoint, _ = trained
    file = tmp_path / "picture.png"
    Image.fromarray(picture(60, 47)).save(file)
    inferencer = MMSegInferencer(Config.fromfile(config), checkpoint, device="cpu")
    inferencer(str(file), out_dir=str(tmp_path / "out"), show=False)
    written = np.array(Image.open(next((tmp_path / "out" / "pred").iterdir())))
    direct = inference_model(init_model(config, checkpoint, "cpu"), str(file))
    assert written.shape == (60, 47) and (written == direct.pred_sem_seg.data[0].numpy()).all()


def test_inferencer_by_a_models_name(trained, tmp_path):
    """With weights of one's own; nobody has published any of this model, which is no reason to draw some."""
    _, checkpoint, reference = trained
    name = "fcn32s_vgg16_shapes"
    inferencer = MMSegInferencer(name, checkpoint, scope="fcn_plugin", device="cpu")
    assert torch.equal(inferencer.model.decode_head.score_fr.weight, reference.decode_head.score_fr.weight)
    assert list(inferencer.model.dataset_meta["classes"]) == list("abcdef")
    message = rf"no weights of {name} are published: train them with `fcn train .*/{name}.py`, and give the checkpoint"
    with pytest.raises(WeightsError, match=message):
        MMSegInferencer(name, scope="fcn_plugin", device="cpu")


FRESH = """
import sys
from mmseg.apis import MMSegInferencer, inference_model, init_model
assert "fcn_plugin" not in sys.modules
import numpy as np
config, checkpoint, picture, api = sys.argv[1:]
if api == "init_model":
    labels = inference_model(init_model(config, checkpoint, device="cpu"), picture).pred_sem_seg.data[0].numpy()
else:
    inferencer = MMSegInferencer(model=config, weights=checkpoint, device="cpu")
    labels = inferencer(picture, out_dir="out")["predictions"]
np.save("labels.npy", labels)
"""


@pytest.mark.parametrize("api", ["init_model", "MMSegInferencer"])
@pytest.mark.parametrize("inherits", [False, True])
def test_in_a_fresh_process_elsewhere(trained, api, inherits, tmp_path):
    """By the path of a config alone, which imports the package; also of one that inherits from it by its path."""
    config, checkpoint, reference = trained
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    scale = 1
    if inherits:
        scale = 2
        (tmp_path / "own.py").write_text(
            f"_base_ = {config!r}\nmodel = dict(data_preprocessor=dict(std=[128., 128., 128.]))\n"
        )
        config = str(tmp_path / "own.py")
    Image.fromarray(picture(50, 71)).save(tmp_path / "picture.png")
    run(sys.executable, "-c", FRESH, config, checkpoint, tmp_path / "picture.png", api, cwd=folder).check()
    image = torch.from_numpy(picture(50, 71)[..., ::-1].copy()).permute(2, 0, 1)
    inputs = reference.data_preprocessor(dict(inputs=[image]))["inputs"] / scale
    with torch.no_grad():
        expected = reference(inputs, mode="tensor").argmax(1)[0].numpy()
    assert len(np.unique(expected)) > 1 and np.array_equal(np.load(folder / "labels.npy"), expected)
    written = {"labels.npy"} | ({"out"} if api == "MMSegInferencer" else set())
    assert {file.name for file in folder.iterdir()} == written


def test_arrays_that_the_network_would_take_for_something_else(trained):
    """Through the toolbox's own call, with a model of ours: channels first, grey, with transparency, from 0 to 1."""
    model = init_model(trained[0], trained[1], device="cpu")
    image = picture(20, 30)
    inference_model(model, np.asarray(Image.fromarray(image))[..., ::-1])
    for wrong in (image.transpose(2, 0, 1), image[..., 0], np.dstack([image, image[..., 0]]), image / 255):
        with pytest.raises(ValueError, match=r"expected a picture, BGR \(H, W, 3\), uint8 from 0 to 255"):
            inference_model(model, wrong)
