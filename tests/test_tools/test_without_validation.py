"""A training without a validation."""

from testing.utils import run_tool, tiny_config


def test_training_without_validation(voc, tmp_path):
    config = tiny_config(tmp_path, voc, "fcn32s_vgg16_camvid", **{"train_cfg.max_iters": 1})
    none = [f"val_{name}=None" for name in ("dataloader", "cfg", "evaluator")]
    options = (
        "--cfg-options",
        *none,
        "train_dataloader.dataset.type=PascalVOCDataset",
        "model.decode_head.num_classes=21",
    )
    outcome = run_tool("train.py", config, "--work-dir", tmp_path / "work", *options, cwd=tmp_path).check()
    assert (tmp_path / "work/iter_1.pth").is_file()
    assert "Iter(val)" not in outcome.stdout
