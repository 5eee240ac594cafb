"""Settings for what the toolbox brings or takes from other packages, a line each, as the documents have them."""

import pytest
from mmengine.config import Config
from mmengine.registry import HOOKS, VISBACKENDS, init_default_scope
from mmseg.registry import TRANSFORMS

from fcn_plugin import config_dir
from fcn_plugin.checks.building import check_components
from fcn_plugin.checks.report import Report

BACKENDS = "visualizer = dict(vis_backends=[dict(type='LocalVisBackend'), dict(type='{}VisBackend')])"
HOOK = "custom_hooks = [dict(type='CheckpointCheckHook'), {}]"
#: The line, and the package that it needs, as an error calls it.
LINES = {
    "EMA": (HOOK.format("dict(type='EMAHook', momentum=0.0002)"), ""),
    "early stopping": (HOOK.format("dict(type='EarlyStoppingHook', monitor='mIoU', patience=5)"), ""),
    "TensorBoard": (BACKENDS.format("Tensorboard"), "tensorboard"),
    "W&B": (BACKENDS.format("Wandb"), "wandb"),
    "MLflow": (BACKENDS.format("MLflow"), "mlflow"),
}
ALBU = dict(type="Albu", transforms=[dict(type="RandomBrightnessContrast", p=0.5)])


def installed(package: str) -> bool:
    try:
        return bool(not package or __import__(package))
    except ImportError:
        return False


@pytest.mark.parametrize("line, package", LINES.values(), ids=LINES)
def test_lines(line, package, tmp_path):
    """They stand in a config; without the package, the error says how to install it, before anything begins."""
    (tmp_path / "config.py").write_text(f"_base_ = {str(config_dir() / 'fcn8s_vgg16_camvid.py')!r}\n{line}\n")
    cfg, report = Config.fromfile(tmp_path / "config.py"), Report()
    check_components(cfg, None, "train", report)
    errors = [str(error) for error in report.errors]
    assert errors == [] if installed(package) else len(errors) == 1 and f"pip install {package}" in errors[0]
    added = cfg.custom_hooks[1] if "custom_hooks" in line else cfg.visualizer.vis_backends[1]
    assert (HOOKS.get(added.type) or VISBACKENDS.get(added.type)).__name__ == added.type


def test_tensorboard_is_written(tmp_path):
    pytest.importorskip("tensorboard")
    backend = VISBACKENDS.build(dict(type="TensorboardVisBackend", save_dir=str(tmp_path)))
    backend.add_scalars(dict(loss=1.5, lr=0.1), step=3)
    backend.close()
    (events,) = tmp_path.glob("events.out.tfevents.*")
    assert b"loss" in events.read_bytes()


def test_albumentations():
    init_default_scope("mmseg")
    if installed("albumentations"):
        assert len(TRANSFORMS.build(ALBU).aug.transforms) == 1
    else:
        with pytest.raises(ImportError, match="albumentations is not installed"):
            TRANSFORMS.build(ALBU)
