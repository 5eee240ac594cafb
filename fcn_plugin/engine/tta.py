"""Test-time augmentation, as a config has it in ``tta_model`` and ``tta_pipeline``."""

from __future__ import annotations

from mmengine.config import Config

LABEL_LOADERS = ("LoadAnnotations", "LoadLabels")


def enable_tta(cfg: Config) -> None:
    """Test with augmentation, with the labels read as in the plain test pipeline (which knows the palette)."""
    dataset = cfg.test_dataloader.dataset
    plain = [step for step in dataset.pipeline if step["type"] in LABEL_LOADERS]
    for step in cfg.tta_pipeline:
        for choices in step.get("transforms", []):
            if plain and choices[0]["type"] in LABEL_LOADERS:
                choices[:] = plain
    dataset.pipeline = cfg.tta_pipeline
    cfg.model = dict(**cfg.tta_model, module=cfg.model)
