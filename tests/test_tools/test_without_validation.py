"""A training without a validation."""

from testing.utils import run_tool, tiny_config


def test_training_without_validation(voc, tmp_path):
    config = tiny_config(tmp_path, voc, **{"train_cfg.max_iters": 1})
    none = [f"val_{name}=None" for name in ("dataloader", "cfg", "evaluator")]
    arguments = (config, "--work-dir", tmp_path / "work", "--cfg-options", *none)
    outcome = run_tool("train.py", *arguments, cwd=tmp_path).check()
    assert (tmp_path / "work/iter_1.pth").is_file()
    assert "Iter(val)" not in outcome.stdout
