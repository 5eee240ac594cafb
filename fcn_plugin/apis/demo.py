"""A short training on drawn shapes, which shows what finer strides gain."""

from __future__ import annotations

import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, RUNNERS
from mmengine.runner import Runner

from ..datasets.shapes_generator import write_shapes
from ..engine.stages import plan_stages
from ..paths import config_dir
from ..utils.config import read_config
from ..visualization.comparison import compare
from ..visualization.evaluation_set import EvaluationSet
from ..visualization.figures import save_figure
from ..visualization.side_by_side import iou_table
from .test import test

CONFIG = "fcn8s_vgg16_shapes.py"  # of the shipped ones
GOAL = 0.75  # mIoU of FCN-8s


class ProgressHook(Hook):
    """Write a short line now and then to stderr; the toolbox's long ones go to its log files."""

    def before_train(self, runner: Runner) -> None:
        """Write which stage it is."""
        print(Path(runner.cfg.filename).stem, file=sys.stderr, flush=True)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Write iteration, loss and speed."""
        done = runner.iter + 1
        if done % 200 == 0 or done == runner.max_iters:
            loss, seconds = (runner.message_hub.get_scalar(f"train/{key}").mean(200) for key in ("loss", "time"))
            print(f"  {done:4d}/{runner.max_iters}  loss {loss:.3f}  {seconds:.2f} s", file=sys.stderr, flush=True)


def demo(out: Path, images: int = 6, amp: bool | None = None) -> str | None:
    """Draw the data, train FCN-32s, 16s and 8s on them, test them, and draw what each finds: some minutes on a CPU.

    Args:
        out (Path): directory of data, checkpoints, predictions and pictures; what is there already is used.
        images (int): rows of pictures to draw.
        amp (bool, optional): True for mixed precision, False for float32; by default what the device computes in.

    Returns:
        str, optional: what is wrong, if the finer strides gained less than they should.

    Raises:
        ValueError, OSError: as training and testing.
    """
    start = time.monotonic()
    prediction_dirs = train_and_test(out, amp)
    data = EvaluationSet(demo_config(out, amp))
    compared = compare(data, prediction_dirs)
    for index, name in enumerate(data.names[:images]):
        save_figure(compared.row(index), out / "pictures" / f"{name}.png")
    scores = {model: compared.scores(model) for model in prediction_dirs}
    table = iou_table({model: found.class_iu for model, found in scores.items()}, data.classes)
    print(f"\n{len(data)} held-out images:\n{table}")
    print(f"In {out}: pictures, predictions, and checkpoints and logs in work_dirs.")
    print(f"Time: {(time.monotonic() - start) / 60:.1f} minutes")
    means = [found.mean_iu for found in scores.values()]
    if means != sorted(set(means)) or means[-1] < GOAL:
        return f"error: expected mIoU to rise from FCN-32s to 16s to 8s, and {100 * GOAL:.0f} % or more for FCN-8s"
    return None


def demo_config(out: Path, amp: bool | None) -> Config:
    """The config of the last stage, on the data in OUT/data."""
    cfg = read_config(str(config_dir() / CONFIG), data_root=str(out / "data"))
    cfg.work_dir = str(out / "work_dirs" / Path(CONFIG).stem)
    HOOKS.register_module(module=ProgressHook, force=True)
    cfg.custom_hooks.append(dict(type="ProgressHook"))
    if amp is not None:
        cfg.precision = "bfloat16" if amp else "float32"
    return cfg


def train_and_test(out: Path, amp: bool | None) -> dict[str, Path]:
    """Draw the data, train what is missing, test; returns the directories of predictions by model."""
    data = out / "data"
    written = write_shapes(data)
    print(f"Data: {data} ({'drawn now' if written else 'there already'})")
    cfg = demo_config(out, amp)
    for number, stage in enumerate(plan_stages(cfg), start=1):
        print(f"{number}. {stage.name}: {stage.describe()}", flush=True)
    prediction_dirs = {}
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # the toolbox's log is in work_dirs as well
        RUNNERS.build(cfg).train()
        for stage in plan_stages(cfg):
            model = stage.name.split("_")[0].replace("fcn", "FCN-")
            prediction_dirs[model] = out / "predictions" / model
            files = dict(work_dir=stage.cfg.work_dir, data_root=str(data), out=str(prediction_dirs[model]))
            test(stage.cfg.filename, str(stage.checkpoint), amp=amp, **files)
    return prediction_dirs
