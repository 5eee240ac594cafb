"""tools/test.py: metrics, what it writes, wrong inputs."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.apis import inference_model, init_model
from PIL import Image
from testing.utils import IMAGE_SIZE, run_tool, tiny_config, weights

METRICS = re.compile(r"aAcc: ([\d.]+)  mIoU: ([\d.]+)  mAcc: ([\d.]+)")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, voc) -> tuple[Path, Path]:
    """A config and a checkpoint saved after a validation, whose metrics (numpy scalars) are in it."""
    folder = tmp_path_factory.mktemp("trained")
    settings = {"train_cfg.max_iters": 3, "train_cfg.val_interval": 1, "default_hooks.checkpoint.interval": 1}
    rate = {"optim_wrapper.optimizer.lr": 1e-3}
    saving = {"default_hooks.checkpoint.max_keep_ckpts": 3, "default_hooks.checkpoint.save_best": "mIoU"}
    config = tiny_config(folder, voc, "fcn32s_vgg16_camvid", **settings, **rate, **saving)
    run_tool("train.py", config, "--work-dir", folder / "work", cwd=folder).check()
    return config, folder / "work/iter_3.pth"


def test_resume_after_validation(trained, tmp_path):
    """What a validation leaves in a checkpoint does not keep it from being read."""
    config, checkpoint = trained
    earlier = checkpoint.with_name("iter_2.pth")
    assert b"dtype" in earlier.read_bytes() and weights(earlier)
    (tmp_path / "iter_2.pth").write_bytes(earlier.read_bytes())
    outcome = run_tool("train.py", config, "--work-dir", tmp_path, cwd=tmp_path).check()
    assert f"continue from {tmp_path / 'iter_2.pth'} (2 of 3 iterations)" in outcome.stdout
    for key, value in weights(checkpoint).items():
        assert torch.equal(weights(tmp_path / "iter_3.pth")[key], value), key


def test_outputs(trained, voc, tmp_path):
    config, checkpoint = trained
    options = ("--work-dir", tmp_path / "work", "--out", tmp_path / "out", "--show-dir", tmp_path / "show")
    outcome = run_tool("test.py", config, checkpoint, *options, cwd=tmp_path).check()

    predictions = {path.stem: np.asarray(Image.open(path)) for path in (tmp_path / "out").glob("*.png")}
    names = (voc / "ImageSets/Segmentation/val.txt").read_text().split()
    assert sorted(predictions) == sorted(names) and len(names) == 2
    model = init_model(str(config), str(checkpoint), device="cpu")
    correct = labelled = 0
    for name, prediction in predictions.items():
        assert prediction.shape == IMAGE_SIZE and prediction.dtype == np.uint8
        expected = inference_model(model, str(voc / f"camvid/JPEGImages/{name}.jpg")).pred_sem_seg.data[0]
        assert np.array_equal(prediction, expected.numpy())
        label = np.asarray(Image.open(voc / f"camvid/SegmentationClass/{name}.png"))
        correct += (prediction == label).sum()
        labelled += (label != 255).sum()
    ((pixel_accuracy, _, _),) = METRICS.findall(outcome.stdout)
    assert 0 < correct < labelled
    assert float(pixel_accuracy) == pytest.approx(100 * correct / labelled, abs=0.006)

    pictures = list((tmp_path / "show").rglob("*.png"))
    assert sorted(re.search(r"image\d", picture.name)[0] for picture in pictures) == sorted(names)


def test_tta(trained, tmp_path):
    config, checkpoint = trained
    arguments = ("test.py", config, checkpoint, "--tta", "--work-dir", tmp_path / "work", "--out", tmp_path / "out")
    outcome = run_tool(*arguments, cwd=tmp_path).check()
    assert len(METRICS.findall(outcome.stdout)) == 1
    shapes = {np.asarray(Image.open(path)).shape for path in (tmp_path / "out").glob("*.png")}
    assert shapes == {IMAGE_SIZE}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["missing.py", "{checkpoint}"], "there is no config missing.py"),
        (["{config}", "missing.pth"], "there is no weight file missing.pth"),
        (["{config}", "{config}"], "expected a PyTorch checkpoint, a .safetensors, a Keras .h5 or a .caffemodel"),
        (["{config}", "{checkpoint}", "--data-root", "nowhere"], "nowhere/JPEGImages, which does not exist"),
        (
            ["{config}", "{checkpoint}", "--cfg-options", "model.decode_head.num_classes=7"],
            "the checkpoint has 11 classes, the config 7",
        ),
    ],
)
def test_wrong_input(arguments, message, trained, tmp_path):
    config, checkpoint = trained
    filled = [argument.format(config=config, checkpoint=checkpoint) for argument in arguments]
    outcome = run_tool("test.py", *filled, cwd=tmp_path)
    assert outcome.returncode == 1
    (error,) = outcome.errors
    assert error.startswith("error: ") and message in error
