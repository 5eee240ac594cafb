"""Train FCN-32s, 16s and 8s on drawn shapes and show what finer strides gain: some minutes on a CPU."""

import argparse
import os
import sys
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, RUNNERS
from mmengine.runner import Runner

from fcn_plugin.apis.test import test
from fcn_plugin.datasets.shapes_generator import write_shapes
from fcn_plugin.engine.stages import plan_stages
from fcn_plugin.utils.config import read_config
from fcn_plugin.visualization.comparison import compare
from fcn_plugin.visualization.evaluation_set import EvaluationSet
from fcn_plugin.visualization.figures import save_figure
from fcn_plugin.visualization.side_by_side import iou_table

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "fcn8s_vgg16_shapes.py"
GOAL = 0.75  # mIoU of FCN-8s
TERMINAL = sys.stdout


@HOOKS.register_module()
class ProgressHook(Hook):
    """Print a short line now and then; the toolbox's long ones go to its log files."""

    def before_train(self, runner: Runner) -> None:
        """Print which stage it is."""
        print(Path(runner.cfg.filename).stem, file=TERMINAL, flush=True)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Print iteration, loss and speed."""
        done = runner.iter + 1
        if done % 200 == 0 or done == runner.max_iters:
            loss, seconds = (runner.message_hub.get_scalar(f"train/{key}").mean(200) for key in ("loss", "time"))
            print(f"  {done:4d}/{runner.max_iters}  loss {loss:.3f}  {seconds:.2f} s", file=TERMINAL, flush=True)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo_out"), help="where everything goes; default demo_out")
    parser.add_argument("--images", type=int, default=6, metavar="N", help="rows of pictures to draw; default 6")
    parser.add_argument(
        "--amp", action=argparse.BooleanOptionalAction, help="mixed precision; default: if the device has bfloat16"
    )
    return parser.parse_args()


def demo_config(args: argparse.Namespace) -> Config:
    """The config of the last stage, on the data in OUT/data."""
    cfg = read_config(str(CONFIG), data_root=str(args.out / "data"))
    cfg.work_dir = str(args.out / "work_dirs" / CONFIG.stem)
    cfg.custom_hooks.append(dict(type="ProgressHook"))
    if args.amp is not None:
        cfg.precision = "bfloat16" if args.amp else "float32"
    return cfg


def train_and_test(args: argparse.Namespace) -> dict[str, Path]:
    """Draw the data, train what is missing, test; returns the directories of predictions by model."""
    data = args.out / "data"
    written = write_shapes(data)
    print(f"Data: {data} ({'drawn now' if written else 'there already'})")
    cfg = demo_config(args)
    for number, stage in enumerate(plan_stages(cfg), start=1):
        print(f"{number}. {stage.name}: {stage.describe()}", flush=True)
    prediction_dirs = {}
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # the toolbox's log is in work_dirs as well
        RUNNERS.build(cfg).train()
        for stage in plan_stages(cfg):
            model = stage.name.split("_")[0].replace("fcn", "FCN-")
            prediction_dirs[model] = args.out / "predictions" / model
            files = dict(work_dir=stage.cfg.work_dir, data_root=str(data), out=str(prediction_dirs[model]))
            test(stage.cfg.filename, str(stage.checkpoint), amp=args.amp, **files)
    return prediction_dirs


def main() -> None:
    """Train, test, compare."""
    args, start = parse_args(), time.monotonic()
    warnings.filterwarnings("ignore", category=UserWarning)
    try:
        prediction_dirs = train_and_test(args)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    data = EvaluationSet(demo_config(args))
    compared = compare(data, prediction_dirs)
    for index, name in enumerate(data.names[: args.images]):
        save_figure(compared.row(index), args.out / "pictures" / f"{name}.png")
    scores = {model: compared.scores(model) for model in prediction_dirs}
    table = iou_table({model: found.class_iu for model, found in scores.items()}, data.classes)
    print(f"\n{len(data)} held-out images:\n{table}")
    print(f"In {args.out}: pictures, predictions, and checkpoints and logs in work_dirs.")
    print(f"Time: {(time.monotonic() - start) / 60:.1f} minutes")
    means = [found.mean_iu for found in scores.values()]
    if means != sorted(set(means)) or means[-1] < GOAL:
        sys.exit(f"error: expected mIoU to rise from FCN-32s to 16s to 8s, and {100 * GOAL:.0f} % or more for FCN-8s")


if __name__ == "__main__":
    main()
