"""Test a checkpoint on a config's test set."""

import argparse
import sys

from mmengine.config import Config
from mmengine.runner import Runner

from fcn_plugin.checks.data import check_data, check_samples
from fcn_plugin.checks.model import check_geometry
from fcn_plugin.checks.weights import check_start, drop_pretrained
from fcn_plugin.engine.allocator import keep_freed_memory
from fcn_plugin.engine.command_line import config_of, parse_arguments
from fcn_plugin.engine.distributed import is_first_process, run_in_first_process
from fcn_plugin.engine.hooks.compile_hook import enable_compile
from fcn_plugin.engine.precision import set_precision
from fcn_plugin.engine.tta import enable_tta
from fcn_plugin.utils.config import set_data_root
from fcn_plugin.weights.checkpoint import WeightsError, forbid_unsafe_loading


def parse_args() -> argparse.Namespace:
    """Parse the command line: the toolbox's options and --data-root."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file, for example configs/fcn8s_vgg16_voc.py")
    parser.add_argument("checkpoint", help="checkpoint file")
    parser.add_argument("--out", help="directory for the predictions as index PNGs")
    parser.add_argument("--show", action="store_true", help="show the predictions in a window")
    parser.add_argument("--show-dir", help="directory for the predictions painted over the images")
    parser.add_argument("--wait-time", type=float, default=2, help="seconds to show each prediction")
    parser.add_argument("--tta", action="store_true", help="test-time augmentation: three scales, mirrored")
    parser.add_argument(
        "--amp",
        action=argparse.BooleanOptionalAction,
        help="mixed precision (bfloat16), or float32; default: the config's `precision`",
    )
    parser.add_argument("--no-check", action="store_true", help="do not read all images and labels before testing")
    return parse_arguments(parser)


def check(cfg: Config, samples: bool) -> None:
    """Check the model, its weights and the data, before anything is built or written."""
    check_geometry(cfg)
    check_data(cfg, ("test_dataloader",))
    check_start(cfg, cfg.load_from)
    if samples:
        check_samples([cfg], ("test_dataloader",))


def build_config(args: argparse.Namespace) -> Config:
    """Read the config, apply the options and check the files that it needs."""
    cfg = config_of(args)
    cfg.load_from = args.checkpoint
    if args.data_root:
        set_data_root(cfg, args.data_root)
    for hook in cfg.get("custom_hooks", []):
        if hook.type == "CheckpointCheckHook":
            hook.earlier_stage = False
    run_in_first_process(lambda: check(cfg, samples=not args.no_check), cfg)
    drop_pretrained(cfg)
    precision = set_precision(cfg, args.amp)
    enable_compile(cfg)
    if is_first_process():
        print(f"Precision: {precision}", flush=True)
    if args.show or args.show_dir:
        # every image: OpenMMLab's own hook takes each 50th by default
        cfg.default_hooks.visualization.update(draw=True, interval=1, show=args.show, wait_time=args.wait_time)
        cfg.visualizer.save_dir = args.show_dir
    if args.out:
        cfg.test_evaluator.output_dir = args.out
    if args.tta:
        enable_tta(cfg)
    return cfg


def main() -> None:
    """Check, then test."""
    args = parse_args()
    forbid_unsafe_loading()
    keep_freed_memory()
    try:
        cfg = build_config(args)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"error: {error}")
    try:
        Runner.from_cfg(cfg).test()
    except WeightsError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
