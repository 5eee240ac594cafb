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
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from fcn_plugin.datasets import ShapesDataset
from fcn_plugin.datasets.shapes_generator import write_shapes
from fcn_plugin.engine.allocator import keep_freed_memory
from fcn_plugin.engine.precision import set_precision
from fcn_plugin.engine.stages import Stage, plan_stages
from fcn_plugin.utils.config import set_data_root
from fcn_plugin.visualization.side_by_side import class_ious, draw_rows, iou_table, mean_iou
from fcn_plugin.weights.checkpoint import forbid_unsafe_loading

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "fcn8s_vgg16_shapes.py"
GOAL = 0.75  # mIoU of FCN-8s
TERMINAL = sys.stdout


@HOOKS.register_module()
class ProgressHook(Hook):
    """Print a short line now and then; the toolbox's long ones go to its log files."""

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


def plan(args: argparse.Namespace) -> list[Stage]:
    """The three stages, on the data in OUT/data; those trained already are found there."""
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir = str(args.out / "work_dirs" / CONFIG.stem)
    stages = plan_stages(cfg)
    for stage in stages:
        set_data_root(stage.cfg, str(args.out / "data"))
        stage.cfg.custom_hooks.append(dict(type="ProgressHook"))
        set_precision(stage.cfg, args.amp)
    return stages


def predict(stage: Stage, directory: Path) -> None:
    """Test a trained stage and keep its predictions as index PNGs."""
    stage.find_checkpoint()
    stage.cfg.update(load_from=str(stage.checkpoint), resume=False)
    stage.cfg.test_evaluator.output_dir = str(directory)
    Runner.from_cfg(stage.cfg).test()


def train_and_test(args: argparse.Namespace) -> dict[str, Path]:
    """Draw the data, train what is missing, test; returns the directories of predictions by model."""
    written = write_shapes(args.out / "data")
    print(f"Data: {args.out / 'data'} ({'drawn now' if written else 'there already'})")
    prediction_dirs = {}
    stages = plan(args)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # the toolbox's log is in work_dirs as well
        for number, stage in enumerate(stages, start=1):
            print(f"{number}. {stage.name}: {stage.describe()}", file=TERMINAL, flush=True)
            if not stage.done:
                stage.train()
            model = stage.name.split("_")[0].replace("fcn", "FCN-")
            prediction_dirs[model] = args.out / "predictions" / model
            predict(stage, prediction_dirs[model])
    return prediction_dirs


def main() -> None:
    """Train, test, compare."""
    args, start = parse_args(), time.monotonic()
    warnings.filterwarnings("ignore", category=UserWarning)
    forbid_unsafe_loading()
    keep_freed_memory()
    try:
        prediction_dirs = train_and_test(args)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    data, meta = args.out / "data", ShapesDataset.METAINFO
    names = (data / "ImageSets/Segmentation/val.txt").read_text().split()
    ious = {
        model: class_ious(directory, data / "SegmentationClass", names, len(meta["classes"]))
        for model, directory in prediction_dirs.items()
    }
    draw_rows(args.out / "pictures", data, prediction_dirs, names[: args.images], **meta)
    print(f"\n{len(names)} held-out images:\n{iou_table(ious, meta['classes'])}")
    print(f"In {args.out}: pictures, predictions, and checkpoints and logs in work_dirs.")
    print(f"Time: {(time.monotonic() - start) / 60:.1f} minutes")
    means = [mean_iou(values) for values in ious.values()]
    if means != sorted(set(means)) or means[-1] < GOAL:
        sys.exit(f"error: expected mIoU to rise from FCN-32s to 16s to 8s, and {100 * GOAL:.0f} % or more for FCN-8s")


if __name__ == "__main__":
    main()
