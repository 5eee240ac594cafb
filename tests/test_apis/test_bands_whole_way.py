"""Pictures of four bands of 16 bits from check and training to prediction, pictures, report and export."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from testing.bands import BANDS, CLASSES, bands_config, make_bands, picture, write_tiff
from testing.utils import needs_torch, weights

from fcn_plugin.apis.browse import browse
from fcn_plugin.apis.export.exporting import export_network
from fcn_plugin.apis.inference.predictor import Predictor
from fcn_plugin.apis.model import init_model
from fcn_plugin.apis.test import test as test_config
from fcn_plugin.apis.train import train
from fcn_plugin.utils.bands import read_bands
from fcn_plugin.visualization.evaluation_set import EvaluationSet


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Data, config, and a training of two iterations."""
    root = tmp_path_factory.mktemp("bands")
    make_bands(root / "data")
    config = bands_config(root, root / "data")
    train(str(config), work_dir=str(root / "work"))
    return root


@pytest.fixture
def checkpoint(folder) -> str:
    return str(folder / "work/iter_2.pth")


def test_training(folder, checkpoint):
    log = next((folder / "work").glob("*/*.log")).read_text()
    assert "Iter(train) [2/2]" in log and "mIoU" in log and "nan" not in log.lower().split("iter(train)")[-1]
    assert weights(checkpoint)["backbone.conv1_1.weight"].shape[1] == BANDS


def test_test(folder, checkpoint, tmp_path):
    shown, config = tmp_path / "shown", str(folder / "bands.py")
    figures = test_config(config, checkpoint, str(tmp_path / "work"), out=str(tmp_path / "out"), show_dir=str(shown))
    assert 0 <= figures["mIoU"] <= 100
    with Image.open(shown / "4.png") as painted, Image.open(tmp_path / "out/5.png") as indices:
        assert painted.size == (96, 40) and indices.size == (48, 40)


def test_prediction(folder, checkpoint):
    predictor = Predictor.from_files(str(folder / "bands.py"), checkpoint, device="cpu")
    path = folder / "data/images/0.tif"
    sample, given = predictor.read(path), predictor.prepare(read_bands(path))
    (one,), (other,) = predictor.predict([sample]), predictor.predict([given])
    assert np.array_equal(one, other) and one.shape == (40, 48)
    assert torch.equal(sample.packed["inputs"], torch.from_numpy(picture_of(0)).permute(2, 0, 1))
    red, blue = (
        np.corrcoef(sample.image[..., at].ravel(), picture_of(0)[..., band].ravel())[0, 1]
        for at, band in ((2, 0), (0, 2))
    )
    assert red > 0.95 and blue > 0.95  # the first three bands, red first, by their percentiles


def picture_of(number: int) -> np.ndarray:
    image = picture(number)
    image[:, 6 * number : 6 * number + 20, 3] += 20000
    return image.astype(np.float32)


def test_other_bands_are_refused(folder, checkpoint, tmp_path):
    predictor = Predictor.from_files(str(folder / "bands.py"), checkpoint, device="cpu")
    write_tiff(tmp_path / "six.tif", picture(0, 6))
    with pytest.raises(ValueError, match=r"expected a picture, \(H, W, 4\), got the shape \(40, 48, 6\)"):
        predictor.read(tmp_path / "six.tif")


def test_toolbox_calls(folder, checkpoint):
    from mmseg.apis import inference_model

    model = init_model(folder / "bands.py", checkpoint, device="cpu")
    path = folder / "data/images/1.tif"
    by_path, by_array = inference_model(model, str(path)), inference_model(model, read_bands(path).astype(np.float32))
    assert torch.equal(by_path.pred_sem_seg.data, by_array.pred_sem_seg.data)


def test_pictures_to_look_at(folder, tmp_path):
    cfg = Config.fromfile(folder / "bands.py")
    for part in (cfg.val_dataloader, cfg.test_dataloader):
        part.dataset.pipeline[0].rgb = [3, 1, 0]
    (file, _) = browse(cfg, "val", tmp_path, 2)
    image = EvaluationSet(cfg, "val").image(0)
    with Image.open(file) as drawn:
        assert np.abs(np.asarray(drawn)[:40, :48].astype(int) - image).max() <= 1
    assert image[:, 24:44, 0].min() > image[:, :20, 0].max()  # water is bright in the fourth band


@needs_torch("2.8", "export")
def test_export(folder, checkpoint, tmp_path):
    cfg = Config.fromfile(folder / "bands.py")
    made = export_network(cfg, checkpoint, tmp_path / "a.pt2", shape=(40, 48), fixed_size=True)
    assert made.metadata["input"] == "image: float32 (batch, 4, height, width), as read, values of the files"
    logits = torch.export.load(made.path).module()(torch.from_numpy(picture_of(2).transpose(2, 0, 1)[None]))
    predictor = Predictor.from_files(str(folder / "bands.py"), checkpoint, device="cpu")
    expected = predictor.predict([predictor.read(folder / "data/images/2.tif")])[0]
    assert logits.shape == (1, len(CLASSES), 40, 48) and (logits[0].argmax(0).numpy() == expected).mean() > 0.99
