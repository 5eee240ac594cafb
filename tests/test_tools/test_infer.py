"""tools/infer.py: what it writes, broken pictures, wrong input, interruption."""

import os
import signal
import sys
import time

import numpy as np
import pytest
from mmseg.apis import inference_model, init_model
from PIL import Image
from testing.inference_files import META, files_below, index_png, read_video, write_picture, write_video, write_weights
from testing.utils import ROOT, finish, run_tool, started, tiny_config


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    config = tiny_config(folder, folder / "nowhere", "fcn8s_vgg16_voc")
    return config, write_weights(config, folder / "weights.pth")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pictures of two sizes in nested folders, one of them broken, and a video."""
    folder = tmp_path_factory.mktemp("data")
    for number, name in enumerate(["a/street.png", "a/deep/street.png", "b/street.jpg", "b/sea.png"]):
        write_picture(folder / name, number, (40, 48) if number % 2 else (33, 50))
    (folder / "b/broken.jpg").write_bytes(b"broken")
    write_video(folder / "clip.avi")
    return folder


def test_predictions(model, data, tmp_path):
    """Labels are the toolbox's, overlays are painted with them; the broken picture is reported, the rest goes on."""
    config, weights = model
    options = ("--batch-size", 3, "--frames", "--opacity", 0.25)
    outcome = run_tool("infer.py", data, "--out", "out", data / "*.avi", config, *options, weights, cwd=tmp_path)
    assert outcome.returncode == 1
    assert outcome.errors == [f"error: 1 of 6 could not be predicted: {data}/b/broken.jpg"]
    assert f"{data}/b/broken.jpg: truncated, or no picture that can be read\n" in outcome.stderr
    assert outcome.stdout.endswith("Predicted 5 of 6 in out.\n")
    names = {"a/street": "png", "a/deep/street": "png", "b/street": "jpg", "b/sea": "png"}
    frames = [f"labels/clip.avi/{number:06d}.png" for number in range(5)]
    pictures = {f"{kind}/{name}.png" for kind in ("labels", "overlays") for name in names}
    assert files_below(tmp_path / "out") == {*pictures, *frames, "overlays/clip.mp4"}

    toolbox = init_model(str(config), str(weights), device="cpu")
    predict = lambda image: inference_model(toolbox, image).pred_sem_seg.data[0].numpy()  # noqa: E731
    palette = META["dataset_meta"]["palette"]
    for name, suffix in names.items():
        labels, written_palette = index_png(tmp_path / f"out/labels/{name}.png")
        assert np.array_equal(labels, predict(str(data / f"{name}.{suffix}"))) and len(np.unique(labels)) > 2
        assert written_palette == palette
        if suffix == "png":
            expected = 0.75 * np.array(Image.open(data / f"{name}.png")) + 0.25 * np.array(palette)[labels]
            overlay = np.array(Image.open(tmp_path / f"out/overlays/{name}.png"))
            assert np.abs(overlay - expected).max() <= 1
    given, fps = read_video(data / "clip.avi")
    overlays, written_fps = read_video(tmp_path / "out/overlays/clip.mp4")
    assert written_fps == fps and [one.shape for one in overlays] == [one.shape for one in given]
    assert len(given) == len(frames)
    for frame, name in zip(given, frames):
        assert np.array_equal(index_png(tmp_path / "out" / name)[0], predict(frame))


def test_options(model, data, tmp_path):
    """One picture with test-time augmentation, the colours of another data set, and no overlays."""
    options = ("--no-overlay", "--tta", "--palette", "PascalVOCDataset", "--device", "cpu", "--out", tmp_path / "out")
    arguments = (data / "a/street.png", *model, *options, "--cfg-options", "test_cfg.fp16=False")
    outcome = run_tool("infer.py", *arguments, cwd=tmp_path).check()
    assert outcome.stdout.endswith(f"Predicted 1 of 1 in {tmp_path}/out.\n")
    assert files_below(tmp_path / "out") == {"labels/street.png"}
    labels, palette = index_png(tmp_path / "out/labels/street.png")
    assert labels.shape == (33, 50) and palette[:3] == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["{config}", "{weights}", "{data}/a"], "expected pictures first, then the config (.py), and the weights last"),
        (["{data}/a", "{weights}", "{config}"], "expected pictures first, then the config (.py), and the weights last"),
        (["{data}/a", "missing.py", "{weights}"], "there is no config missing.py"),
        (["{data}/a", "{config}", "missing.pth"], "there is no weight file missing.pth"),
        (["missing", "{config}", "{weights}"], "there is no picture, video or folder missing"),
        (["{data}/a", "{data}/b", "{config}", "{weights}"], "would overwrite each other (street)"),
        (["{data}/b/broken.jpg", "{config}", "{weights}"], "1 of 1 could not be predicted: {data}/b/broken.jpg"),
        (
            ["{data}/a", "{config}", "{weights}", "--opacity", "2"],
            "the opacity must be from 0 (the picture alone) to 1",
        ),
        (
            ["{data}/a", "{config}", "{weights}", "--cfg-options", "model.decode_head.num_classes=7"],
            "the checkpoint has 21 classes, the config 7",
        ),
    ],
)
def test_wrong_input(arguments, message, model, data, refuses):
    fill = lambda text: text.format(config=model[0], weights=model[1], data=data)  # noqa: E731
    assert "Predicted" not in refuses(fill(message), "predict", *map(fill, arguments), "--out", "out")


@pytest.fixture
def interruptible():
    """Processes take SIGINT, also if the tests were started in the background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupted(model, tmp_path, interruptible):
    """What is there is whole, and of the video that was being written nothing is left."""
    for number in range(3):
        write_picture(tmp_path / f"in/{number}.png", number)
    write_video(tmp_path / "in/clip.avi", frames=3000)
    out = tmp_path / "out"
    command = (sys.executable, ROOT / "tools/infer.py", tmp_path / "in", tmp_path / "in/clip.avi", *model, "--out", out)
    with started(*command, cwd=tmp_path) as process:
        end = time.monotonic() + 120
        while not list(out.glob("overlays/.clip*")) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        outcome = finish(process)
    assert outcome.returncode == 130, outcome.stderr
    assert f"Interrupted. What is in {out} is whole." in outcome.stderr and "Traceback" not in outcome.stderr
    assert files_below(out) == {f"{kind}/{number}.png" for kind in ("labels", "overlays") for number in range(3)}
    assert all(index_png(out / f"labels/{number}.png")[0].shape == (40, 48) for number in range(3))
