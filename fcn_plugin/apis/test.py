"""Test a checkpoint on a config's test set."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.registry import RUNNERS

from ..engine.tta import enable_tta
from ..evaluation.writing_metrics import writing_metrics
from .train import run_config


def test(
    config: str,
    checkpoint: str,
    work_dir: str | None = None,
    data_root: str | None = None,
    cfg_options: Mapping | None = None,
    amp: bool | None = None,
    out: str | None = None,
    show: bool = False,
    show_dir: str | None = None,
    wait_time: float = 2.0,
    tta: bool = False,
    check_data: bool = True,
    launcher: str = "none",
) -> dict[str, float]:
    """Test a checkpoint on a config's test set.

    Args:
        config (str): path of the config.
        checkpoint (str): weights of any known source, by path or URL.
        work_dir (str, optional): where the log goes; by default the config's, or ``work_dirs/CONFIG``.
        data_root (str, optional): root of the data set, in place of the config's.
        cfg_options (Mapping, optional): settings to override, as ``{"test_dataloader.batch_size": 4}``.
        amp (bool, optional): True for mixed precision, False for float32; by default the config's ``precision``.
        out (str, optional): directory for the predictions as index PNGs.
        show (bool): show the predictions in a window.
        show_dir (str, optional): directory for the predictions painted over the images.
        wait_time (float): seconds to show each prediction.
        tta (bool): test-time augmentation: three scales, mirrored.
        check_data (bool): read all images and labels before testing.
        launcher (str): what started the processes: ``none``, ``pytorch``, ``slurm`` or ``mpi``.

    Returns:
        dict: the figures, in percent.

    Raises:
        FileNotFoundError, ValueError: before anything is written, for whatever is wrong in config, weights and data.
    """
    cfg = run_config(config, work_dir, data_root, cfg_options, amp, check_data, launcher)
    cfg.load_from = str(checkpoint)
    if show:
        # every image: OpenMMLab's own hook takes each 50th by default
        hooks = cfg.setdefault("default_hooks", {})
        hooks.setdefault("visualization", dict(type="SegVisualizationHook"))
        hooks.visualization.update(draw=True, interval=1, show=show, wait_time=wait_time)
    cfg.show_dir = str(show_dir) if show_dir else None
    if out:
        metrics = writing_metrics(cfg.get("test_evaluator"), "test_evaluator")
        if not metrics:
            raise ValueError("no metric of test_evaluator can write predictions to --out: add dict(type='FCNMetric')")
        for metric in metrics.values():
            metric["output_dir"] = str(out)
    if tta:
        enable_tta(cfg)
    return RUNNERS.build(cfg).test()


test.__test__ = False  # pytest takes it for a test where it is imported
