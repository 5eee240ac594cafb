import json

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from testing.inference_files import files_below, picture, write_picture, write_weights
from testing.utils import tiny_config

from fcn_plugin.apis.inference.outputs import make_outputs
from fcn_plugin.apis.inference.predictor import Predictor
from fcn_plugin.apis.inference.run import Inference
from fcn_plugin.apis.inference.sources import find_sources
from fcn_plugin.apis.inference.value_writer import write_values
from fcn_plugin.apis.inference.writer import PredictionWriter
from fcn_plugin_cli.main import main

KINDS = ["logits", "probabilities", "confidence", "labels"]
CLASSES = ["sky", "sea", "land"]
TILES = {"model.test_cfg.mode": "tiles", "model.test_cfg.tile": 128}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    config = tiny_config(folder, folder / "nowhere", "fcn8s_vgg16_voc")
    return str(config), str(write_weights(config, folder / "weights.pth"))


def values_of(outputs, logits):
    return {one.name: one.values(logits) for one in outputs}


def test_values():
    logits = torch.randn(3, 5, 6) * 3
    shares = logits.softmax(0).numpy()
    exact = values_of(make_outputs(KINDS, CLASSES, 3, save_type="float16"), logits)
    assert list(exact) == ["logits", "probabilities", "confidence"]
    assert np.array_equal(exact["logits"], logits.half().numpy())
    assert np.array_equal(exact["probabilities"], logits.softmax(0).half().numpy())
    entropy = -(shares * np.log(shares)).sum(0) / np.log(3)
    assert np.allclose(exact["confidence"][0], 1 - entropy, atol=1e-3)
    rounded = values_of(make_outputs(KINDS, CLASSES, 3, ["land", "sky"], measure="margin"), logits)
    assert np.array_equal(rounded["probabilities"], (shares[[2, 0]] * 255).round().astype(np.uint8))
    ordered = np.sort(shares, 0)
    assert np.array_equal(rounded["confidence"][0], ((ordered[2] - ordered[1]) * 255).round().astype(np.uint8))
    assert np.array_equal(rounded["logits"], logits[[2, 0]].half().numpy())


def test_single_score():
    """It has two probabilities, and the logit of the second class."""
    logits = torch.tensor([[[-1e5, -2.0, 0.0, 3.0]]])
    found = values_of(make_outputs(KINDS, ["no", "yes"], 1, save_type="float16"), logits)
    assert np.allclose(found["probabilities"].sum(0), 1, atol=1e-3)
    assert np.allclose(found["probabilities"][1], logits[0].sigmoid(), atol=1e-3)
    assert found["confidence"][0, 0].tolist() == pytest.approx([1, 0.4725, 0, 0.7255], abs=1e-3)
    assert found["logits"].tolist() == [[[-65504, -2, 0, 3]]]
    assert values_of(make_outputs(KINDS, ["no", "yes"], 1, ["no"]), logits)["probabilities"].tolist() == [
        [[255, 225, 128, 12]]
    ]


@pytest.mark.parametrize(
    "settings, says",
    [
        (dict(chosen=["see"]), "there is no class 'see' among sky, sea, land"),
        (dict(save_type="int8"), "the save type must be uint8 or float16, got 'int8'"),
        (dict(measure="sure"), "the confidence must be entropy or margin, got 'sure'"),
    ],
)
def test_wrong_settings(settings, says):
    with pytest.raises(ValueError, match=says):
        make_outputs(KINDS, CLASSES, 3, **settings)


def test_predicted(files):
    """The softmax of the model's own logits: of the whole, in tiles, and with augmentation."""
    image = picture(3, (230, 700))
    whole, tiles = (Predictor.from_files(*files, options, device="cpu") for options in ({}, TILES))
    sample = whole.prepare(image)
    with torch.no_grad():
        data = whole.model.data_preprocessor(dict(inputs=[sample.packed["inputs"]]), False)
        logits = whole.model(data["inputs"])[0]
    ((labels, found),) = whole.predict([sample], return_probabilities=True)
    assert found.dtype == np.float16 and np.array_equal(labels, logits.argmax(0).numpy())
    assert np.array_equal(found, logits.softmax(0).half().numpy())
    (in_tiles,) = tiles.predict_outputs([tiles.prepare(image)], tiles.outputs(KINDS, save_type="float16"))
    assert np.abs(in_tiles.values["probabilities"].astype(float) - found).max() < 2e-3
    assert (in_tiles.labels != labels).mean() < 1e-4
    assert np.abs(in_tiles.values["logits"] - logits.numpy()).max() < 2e-3 * logits.abs().max()
    augmented = Predictor.from_files(*files, device="cpu", tta=True)
    ((labels, found),) = augmented.predict([augmented.prepare(image)], return_probabilities=True)
    assert np.abs(found.astype(float).sum(0) - 1).max() < 5e-3
    assert (found.argmax(0) != labels).mean() < 2e-2  # of equal halves, argmax takes the first


def test_formats(tmp_path):
    values = np.arange(36, dtype=np.uint8).reshape(3, 3, 4)
    (output,) = make_outputs(["probabilities"], ["a/b", "c", "d"], 3)
    for kind in ("npz", "tiff", "png"):
        write_values(tmp_path / "p/x.v2", output, values, kind)
    assert files_below(tmp_path) == {
        "p/x.v2.npz", "p/x.v2.tif", "p/x.v2/a_b.png", "p/x.v2/c.png", "p/x.v2/d.png"
    }  # fmt: skip
    with np.load(tmp_path / "p/x.v2.npz") as file:
        assert np.array_equal(file["probabilities"], values) and file["classes"].tolist() == ["a/b", "c", "d"]
    assert np.array_equal(tifffile.imread(tmp_path / "p/x.v2.tif"), values)
    assert np.array_equal(np.array(Image.open(tmp_path / "p/x.v2/d.png")), values[2])


def test_files(files, tmp_path):
    """Of all kinds as TIFF, where a TIFF lies is kept; windows give the same as the whole."""
    tags = [(33550, 12, 3, (2.0, 2.0, 0.0), True)]
    image = picture(2, (120, 700))[..., ::-1]
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", metadata=None, extratags=tags, rowsperstrip=8)
    write_picture(tmp_path / "b.png", 2, (30, 40))
    for name, options in (("whole", {}), ("tiles", TILES)):
        predictor = Predictor.from_files(*files, options, device="cpu")
        outputs = predictor.outputs(KINDS, chosen=["thing 3", "thing 0"])
        writer = PredictionWriter(tmp_path / name, predictor.dataset_meta, outputs=outputs, format="tiff")
        steps = []
        Inference(predictor, writer, steps.append)(find_sources([str(tmp_path / "a.tif")], tmp_path / name))
        assert steps[-1].problem is None
        kinds = ("labels", "overlays", "probabilities", "confidence", "logits")
        assert files_below(tmp_path / name) == {f"{kind}/a.tif" for kind in kinds}
    for kind in kinds:
        with tifffile.TiffFile(tmp_path / f"whole/{kind}/a.tif") as file:
            assert file.pages[0].tags[33550].value == (2, 2, 0)
        whole, tiles = (tifffile.imread(tmp_path / name / kind / "a.tif").astype(float) for name in ("whole", "tiles"))
        assert whole.shape == tiles.shape and np.mean(np.abs(whole - tiles) > 1 + 1e-3 * np.abs(whole).max()) < 1e-4
    assert len(whole) == 2 and whole.std() > 0


def test_png_of_float16():
    outputs = make_outputs(KINDS, CLASSES, 3)
    with pytest.raises(ValueError, match="PNGs hold no logits of float16: choose tiff or npz"):
        PredictionWriter("out", dict(classes=CLASSES, palette=[[0] * 3] * 3), outputs=outputs, format="png")


def test_command(files, tmp_path, monkeypatch):
    """All kinds, of a TIFF by windows and of a PNG; polygons of both in one file."""
    monkeypatch.chdir(tmp_path)
    image = picture(2, (120, 700))
    (tmp_path / "in").mkdir()
    tifffile.imwrite("in/a.tif", image[..., ::-1], photometric="rgb", metadata=None, tile=(64, 64), compression="zlib")
    write_picture(tmp_path / "in/b.png", 2, (30, 40))
    words = "--out out --tile 128 --save labels confidence geojson coco --confidence margin --device cpu"
    main(["predict", "in", *files, *words.split()])
    kinds = {"labels/a.tif", "labels/b.png", "confidence/a.tif", "confidence/b.npz"}
    assert files_below(tmp_path / "out") == {*kinds, "geojson/a.geojson", "geojson/b.geojson", "coco.json"}
    found = json.loads((tmp_path / "out/coco.json").read_text())
    assert [one["file_name"] for one in found["images"]] == ["a.tif", "b.png"]
    labels = [tifffile.imread("out/labels/a.tif"), np.array(Image.open("out/labels/b.png"))]
    for number, one in enumerate(labels, 1):
        counts = np.bincount(one.ravel(), minlength=21)
        for index in range(21):
            areas = [
                annotation["area"]
                for annotation in found["annotations"]
                if (annotation["image_id"], annotation["category_id"]) == (number, index + 1)
            ]
            assert sum(areas) == counts[index]
