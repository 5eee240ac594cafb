"""tools/import_weights.py, and what follows with its output: testing, training, and mismatches found early."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from testing import weight_files as files
from testing.utils import run_tool, tiny_config, weights

from fcn_plugin.checks.weights import PARTS
from fcn_plugin.datasets import CamVidDataset
from fcn_plugin.weights.importing import import_weights
from fcn_plugin.weights.layer_names import canonical
from fcn_plugin.weights.preprocessing import CAFFE, TORCHVISION
from fcn_plugin_cli import main as cli


def pretrained(file: Path) -> dict:
    """Settings by which backbone and neck start from a file."""
    return {f"model.{part}.init_cfg": dict(type="Pretrained", checkpoint=str(file), _delete_=True) for part in PARTS}


@pytest.fixture
def fcn16s(tmp_path, voc) -> tuple[Path, Path]:
    """A config of a narrow FCN-16s for 11 classes, and a caffemodel that fits it."""
    config = tiny_config(tmp_path, voc, "fcn16s_vgg16_voc", **{"model.decode_head.num_classes": 11})
    file = tmp_path / "fcn16s.caffemodel"
    files.write_caffemodel(file, files.fcn_weights((4,), classes=11))
    return config, file


def test_imported_weights_are_tested_directly(fcn16s, tmp_path):
    config, file = fcn16s
    out = tmp_path / "fcn16s.pth"
    outcome = run_tool("import_weights.py", file, out, "--for", config, cwd=tmp_path).check()
    assert f"{out}: 36 tensors, vgg16" in outcome.stdout and "from  Caffe fcn16s.caffemodel" in outcome.stdout
    assert f"fits  backbone and neck and decode_head of {config}" in outcome.stdout
    meta = import_weights(out)["meta"]
    assert meta["preprocessing"] == CAFFE and meta["skip_scales"] == [1.0] and len(meta["source"]["sha256"]) == 64
    predictions = []
    for checkpoint in (out, file):  # also without the import
        folder = tmp_path / checkpoint.name.replace(".", "_")
        run_tool("test.py", config, checkpoint, "--work-dir", folder, "--out", folder / "out", cwd=tmp_path).check()
        predictions.append([path.read_bytes() for path in sorted((folder / "out").glob("*.png"))])
    assert predictions[0] == predictions[1] and len(predictions[0]) == 2


def test_names_and_colours_of_the_classes(fcn16s, tmp_path):
    """Of the config that the weights are for, for tools that ask the weights alone; without one, none is made up."""
    config, file = fcn16s
    cfg = Config.fromfile(config)
    for dataloader in ("train", "val", "test"):
        cfg[f"{dataloader}_dataloader"].dataset = dict(type="CamVidDataset")
    cfg.dump(tmp_path / "camvid.py")
    for target, options, classes in (("a", [], None), ("b", ["--for", tmp_path / "camvid.py"], CamVidDataset)):
        cli.main([str(word) for word in ("import", file, tmp_path / f"{target}.pth", *options)])
        meta = import_weights(tmp_path / f"{target}.pth")["meta"].get("dataset_meta")
        expected = classes and {key: [*map(type(value[0]), value)] for key, value in classes.METAINFO.items()}
        assert meta == expected


def test_half_the_space(fcn16s, tmp_path):
    """Weights in bfloat16 are tested like others, with the values that they were rounded to."""
    config, file = fcn16s
    whole, half = tmp_path / "whole.pth", tmp_path / "half.pth"
    run_tool("import_weights.py", file, whole, cwd=tmp_path).check()
    run_tool("import_weights.py", whole, half, "--dtype", "bfloat16", "--for", config, cwd=tmp_path).check()
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    expected, meta = (import_weights(whole)[key] for key in ("state_dict", "meta"))
    assert import_weights(half)["meta"] == meta
    for name, value in weights(half).items():
        assert torch.equal(value.float(), expected[name].bfloat16().float() if value.dim() > 1 else expected[name])
    run_tool("test.py", config, half, "--work-dir", tmp_path / "work", cwd=tmp_path).check()


def test_training_starts_from_a_downloaded_classifier(tmp_path, voc):
    """init_cfg takes a caffemodel by its path; the frozen feature extractor still has its weights at the end."""
    tensors = files.reference_weights()
    files.write_caffemodel(tmp_path / "vgg.caffemodel", files.flattened(tensors), "old")
    settings = {**pretrained(tmp_path / "vgg.caffemodel"), "train_cfg.max_iters": 1}
    frozen = {"model.backbone.frozen_stages": 5, "model.neck.frozen": True}
    config = tiny_config(tmp_path, voc, "fcn32s_vgg16_camvid", **settings, **frozen)
    outcome = run_tool("train.py", config, "--work-dir", tmp_path / "work", cwd=tmp_path).check()
    assert "starts at random" not in outcome.stderr + outcome.stdout
    trained = weights(tmp_path / "work/iter_1.pth")
    expected = {key: value for key, value in canonical(tensors).items() if not key.startswith("fc8")}
    assert len(expected) == 30 and all(torch.equal(trained[key], value) for key, value in expected.items())
    assert import_weights(tmp_path / "work/iter_1.pth")["meta"]["preprocessing"] == CAFFE


def test_mismatch_is_found_before_training(tmp_path, voc):
    """RGB weights for a BGR config: by init_cfg, by load_from, and when testing."""
    torch.save(files.mmpretrain_names(files.reference_weights()), tmp_path / "vgg.pth")
    config = tiny_config(tmp_path, voc, **pretrained(tmp_path / "vgg.pth"))
    outcome = run_tool("train.py", config, "--work-dir", tmp_path / "work", cwd=tmp_path)
    (error,) = outcome.errors
    assert outcome.returncode == 1 and not (tmp_path / "work").exists()
    assert error.startswith(f"error: {tmp_path / 'vgg.pth'} expects RGB images") and "bgr_to_rgb=True" in error

    fcn = dict(meta=dict(preprocessing=TORCHVISION), state_dict=canonical(files.fcn_weights(())))
    torch.save(fcn, tmp_path / "fcn.pth")
    for arguments in (["train.py", config, "--cfg-options", f"load_from={tmp_path / 'fcn.pth'}"],
                      ["test.py", config, tmp_path / "fcn.pth"]):  # fmt: skip
        outcome = run_tool(*arguments, cwd=tmp_path)
        (error,) = outcome.errors
        assert outcome.returncode == 1 and "expects RGB images" in error and "gives BGR images" in error


def test_folded_weights_run_with_caffes_input(tmp_path, voc):
    torch.save(files.torchvision_names(files.reference_weights()), tmp_path / "vgg.pth")
    config = tiny_config(tmp_path, voc)
    arguments = ("--preprocessing", "torchvision", "--fold-preprocessing", "--for", config)
    run_tool("import_weights.py", tmp_path / "vgg.pth", tmp_path / "out.pth", *arguments, cwd=tmp_path).check()
    imported = import_weights(tmp_path / "out.pth")
    assert imported["meta"]["preprocessing"] == dict(bgr_to_rgb=False, mean=TORCHVISION["mean"][::-1], std=[1.0] * 3)
    original = files.reference_weights()["conv1_1.weight"]
    red = imported["state_dict"]["backbone.conv1_1.weight"][:, 2]
    torch.testing.assert_close(red, original[:, 0] / TORCHVISION["std"][0])
    torch.testing.assert_close(imported["state_dict"]["neck.fc6.bias"], files.reference_weights()["fc6.bias"])


def test_wrong_input(fcn16s, tmp_path, voc, refuses):
    config, file = fcn16s
    torch.save(files.torchvision_names(files.reference_weights()), tmp_path / "vgg.pth")
    (tmp_path / "cut.caffemodel").write_bytes(file.read_bytes()[:-100])
    fcn8s = tiny_config(tmp_path / "fcn8s", voc, "fcn8s_vgg16_voc", **{"model.decode_head.num_classes": 11})
    (tmp_path / "there.pth").touch()
    wider = ("--cfg-options", "model.backbone.width=0.1", "model.neck.in_channels=51")
    cases = {
        ("none.pth", "o.pth"): "there is no weight file none.pth",
        ("cut.caffemodel", "o.pth"): "cut.caffemodel is truncated",
        ("vgg.pth", "o.pth"): "vgg.pth does not tell which input it expects: give --preprocessing",
        (file, "o.pth", "--for", fcn8s): "does not fit the config (missing: decode_head.score_pool3",
        (file, "o.pth", "--for", config, *wider): "another shape: backbone.conv1_1",
        (file, "there.pth"): "there.pth exists already",
        ("none.pth", "o.pth", "--preprocessing", "cafe"): "one of caffe, torchvision, rgb255, got 'cafe', did you mean",
        (file, "o.pth", "--preprocessing", "torchvision"): "known to expect BGR",
    }
    for arguments, message in cases.items():
        refuses(message, "import", *arguments)


def test_at_once_weights_want_the_at_once_config(tmp_path, voc):
    layers = files.fcn_weights((4, 3), classes=11)
    for skip, scale in ((3, 1e-4), (4, 1e-2)):
        layers[f"scale_pool{skip}.weight"] = torch.full((files.CHANNELS[skip - 1],), scale)
    files.write_caffemodel(tmp_path / "atonce.caffemodel", layers)
    classes = {"model.decode_head.num_classes": 11}
    staged = tiny_config(tmp_path, voc, "fcn8s_vgg16_voc", **classes)
    at_once = tiny_config(tmp_path, voc, "fcn8s-atonce_vgg16_voc", name="atonce", **classes)
    assert Config.fromfile(at_once).model.decode_head.skip_scales == [1e-4, 1e-2]
    outcome = run_tool("test.py", staged, tmp_path / "atonce.caffemodel", cwd=tmp_path)
    assert "trained with skips scaled by [0.0001, 0.01], but the config scales them by [1.0, 1.0]" in outcome.errors[0]
    run_tool(
        "import_weights.py", tmp_path / "atonce.caffemodel", tmp_path / "o.pth", "--for", at_once, cwd=tmp_path
    ).check()
