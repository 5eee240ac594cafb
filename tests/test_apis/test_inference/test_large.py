import errno
import os
import signal
import time

import cv2
import numpy as np
import pytest
import tifffile
from testing.inference_files import files_below, picture, write_weights
from testing.utils import tiny_config

import fcn_plugin.apis.inference.large as large_module
import fcn_plugin.apis.inference.partial as partial_module
from fcn_plugin.apis.inference.partial import PartialPrediction, Plane
from fcn_plugin.apis.inference.predictor import Predictor
from fcn_plugin.apis.inference.run import Inference
from fcn_plugin.apis.inference.sources import find_sources
from fcn_plugin.apis.inference.writer import PredictionWriter
from fcn_plugin.utils.files import CannotWriteError

GEO = [
    (33550, 12, 3, (0.5, 0.5, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 4e5, 5e6, 0.0), True),
    (34735, 3, 8, (1, 1, 0, 1, 3072, 0, 1, 32633), True),
]
SIZE = (730, 650)  # three times two windows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A picture with a place on the earth, as TIFF, and a config with weights."""
    folder = tmp_path_factory.mktemp("large")
    config = tiny_config(folder, folder / "nowhere", "fcn8s_vgg16_voc")
    write_weights(config, folder / "weights.pth")
    image = cv2.resize(picture(3), SIZE[::-1], interpolation=cv2.INTER_NEAREST)
    write_tiff(folder / "a.tif", image)
    return folder


@pytest.fixture(scope="module")
def predictors(folder):
    """Of the whole, and of tiles."""
    config = next(folder.glob("*.py"))
    tiles = {"model.test_cfg.mode": "tiles", "model.test_cfg.tile": 128}
    return [
        Predictor.from_files(str(config), str(folder / "weights.pth"), options, device="cpu") for options in ({}, tiles)
    ]


def write_tiff(path, image, **settings):
    settings = {"tile": (128, 128), "compression": "zlib", "extratags": GEO, **settings}
    tifffile.imwrite(path, image[..., ::-1], photometric="rgb", metadata=None, **settings)


def infer(predictor, path, out, **wanted):
    """Predict a picture; the steps but those of windows, and the shares of windows."""
    steps = []
    writer = PredictionWriter(out, predictor.dataset_meta, **wanted)
    Inference(predictor, writer, steps.append)(find_sources([str(path)], out))
    return [step for step in steps if step.share == 1], [step.share for step in steps if step.share < 1]


@pytest.fixture(scope="module")
def predicted(folder, predictors):
    """The folder of what is predicted of the picture in one go."""
    ((step,), shares) = infer(predictors[1], folder / "a.tif", folder / "out")
    assert step.problem is step.remark is None
    assert len(shares) == 6 and shares == sorted(shares) and shares[0] < 0.4 and shares[-1] > 0.9
    return folder / "out"


def test_as_the_whole(folder, predictors, predicted):
    """The same labels and overlays, with colours, and where on the earth they are."""
    sample = predictors[0].read(folder / "a.tif")
    (labels,) = predictors[0].predict([sample])
    assert len(np.unique(labels)) > 3
    assert files_below(predicted) == {"labels/a.tif", "overlays/a.tif"}
    with tifffile.TiffFile(predicted / "labels/a.tif") as file:
        page = file.pages[0]
        assert page.is_tiled and page.compression == 8 and page.dtype == np.uint8
        assert [(tag[0], page.tags[tag[0]].value) for tag in GEO] == [(tag[0], tag[3]) for tag in GEO]
        assert (page.asarray() != labels).mean() < 1e-4  # ties may fall otherwise
        palette = np.array(predictors[0].dataset_meta["palette"])
        assert np.array_equal(page.colormap[:, : len(palette)].T // 257, palette)
    overlay = PredictionWriter("out", predictors[0].dataset_meta).overlay(sample.image, labels)
    assert (tifffile.imread(predicted / "overlays/a.tif") != overlay).mean() < 1e-4


def test_killed(folder, predictors, predicted, tmp_path):
    """At any moment: it goes on, and the files have the same bytes as without."""
    for windows in (0, 1, 3):
        child = os.fork()
        if not child:
            infer(predictors[1], folder / "a.tif", tmp_path)
            os._exit(0)
        journal = tmp_path / ".a.partial/journal"
        until = time.monotonic() + 60
        while not (journal.is_file() and journal.read_bytes().count(b"\n") > windows) and time.monotonic() < until:
            time.sleep(0.003)
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        assert journal.read_bytes().count(b"\n") > windows
    with open(journal, "a") as file:
        file.write("0 64 0")  # a line that was not ended
    ((step,), shares) = infer(predictors[1], folder / "a.tif", tmp_path)
    assert step.remark.startswith("went on after ") and len(shares) <= 3
    check_equal(tmp_path, predicted)


def check_equal(out, predicted):
    assert files_below(out) == files_below(predicted)
    for name in files_below(out):
        assert (out / name).read_bytes() == (predicted / name).read_bytes()


class Stopped(Exception):
    """In the place of a kill."""


def stop_after(windows, monkeypatch, error=Stopped):
    write, count = partial_module._write_at, []

    def fails(file, content, place):
        count.append(place)
        if len(count) > windows * 400 * 4:
            raise error
        write(file, content, place)

    monkeypatch.setattr(partial_module, "_write_at", fails)


def test_full_disk(folder, predictors, predicted, tmp_path, monkeypatch):
    """One sentence; finished windows are kept. Then, other settings begin anew, and the same ones do nothing."""
    with monkeypatch.context() as patch:
        stop_after(2, patch, OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(CannotWriteError, match="No space left on device; finished windows are kept: make room"):
            infer(predictors[1], folder / "a.tif", tmp_path)
    assert (tmp_path / ".a.partial/journal").read_text().count("\n") > 1
    ((step,), shares) = infer(predictors[1], folder / "a.tif", tmp_path)
    assert step.remark.startswith("went on after ") and len(shares) < 6
    check_equal(tmp_path, predicted)
    monkeypatch.setattr(large_module, "tiles_of", None)
    ((step,), shares) = infer(predictors[1], folder / "a.tif", tmp_path)
    assert step.remark == "it was predicted before with the very same settings" and not shares


def test_other_settings(folder, predictors, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(Stopped):
            infer(predictors[1], folder / "a.tif", tmp_path)
    ((step,), _) = infer(predictors[1], folder / "a.tif", tmp_path, opacity=0.2, labels=False)
    assert step.remark == "begun anew, as other outputs had been given"
    assert files_below(tmp_path) == {"overlays/a.tif"}


def test_two_at_a_time(tmp_path):
    """Refused; what was begun with other settings is gone, and what is finished is read back."""
    planes = dict(a=Plane(2, np.uint16))
    values = np.arange(24).reshape(2, 3, 4)
    first = PartialPrediction(tmp_path / "p", dict(x=1), (6, 7), planes)
    with pytest.raises(CannotWriteError, match="another process is predicting this picture"):
        PartialPrediction(tmp_path / "p", dict(x=1), (6, 7), planes)
    first.write((slice(2, 5), slice(3, 7)), dict(a=values))
    first.close()
    second = PartialPrediction(tmp_path / "p", dict(x=1), (6, 7), planes)
    assert second.done == {(2, 5, 3, 7)} and second.kept == 1
    assert np.array_equal(second.read("a", 1, slice(2, 5))[:, 3:], values[1])
    second.close()
    third = PartialPrediction(tmp_path / "p", dict(x=2), (6, 7), planes)
    assert third.changed == ["x"] and not third.done and not third.read("a", 1, slice(0, 6)).any()
    third.remove()
    assert not (tmp_path / "p").exists()


def test_left_out(folder, predictors, tmp_path):
    """What is broken, and what cannot be read by windows."""
    (tmp_path / "cut.tif").write_bytes((folder / "a.tif").read_bytes()[:900])
    ((step,), _) = infer(predictors[1], tmp_path / "cut.tif", tmp_path / "out")
    assert "truncated" in step.problem and files_below(tmp_path / "out") == set()
    write_tiff(tmp_path / "turned.tif", picture(), extratags=[(274, 3, 1, 6, True)])
    ((step,), _) = infer(predictors[1], tmp_path / "turned.tif", tmp_path / "out")
    assert step.problem is None and files_below(tmp_path / "out") == {"labels/turned.png", "overlays/turned.png"}


def test_pipeline(folder, predictors, tmp_path, monkeypatch):
    steps = [dict(type="Resize", scale=(64, 64)), *predictors[1].steps]
    monkeypatch.setattr(predictors[1], "steps", steps)
    with pytest.raises(ValueError, match="the step Resize of the test pipeline needs the whole picture"):
        infer(predictors[1], folder / "a.tif", tmp_path)
