"""Test-time augmentation, as a config has it in ``tta_model`` and ``tta_pipeline``."""

from __future__ import annotations

from mmengine.config import Config

from ..datasets.transforms.loading import loads_labels


def enable_tta(cfg: Config) -> None:
    """Test with augmentation, with the labels read as in the plain test pipeline (which knows the palette)."""
    dataset = cfg.test_dataloader.dataset
    plain = [step for step in dataset.pipeline if loads_labels(step)]
    for step in cfg.tta_pipeline:
        for choices in step.get("transforms", []):
            if plain and loads_labels(choices[0]):
                choices[:] = plain
    dataset.pipeline = cfg.tta_pipeline
    cfg.model = dict(**cfg.tta_model, module=cfg.model)
