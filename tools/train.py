"""Train a config with all the stages that lead to it; what is done is kept, what was interrupted goes on."""

import argparse
import sys

from fcn_plugin.checks.data import check_data, check_samples
from fcn_plugin.checks.model import check_geometry
from fcn_plugin.checks.weights import check_pretrained, check_start
from fcn_plugin.engine.allocator import keep_freed_memory
from fcn_plugin.engine.command_line import config_of, parse_arguments
from fcn_plugin.engine.distributed import is_first_process, run_in_first_process
from fcn_plugin.engine.hooks.compile_hook import enable_compile
from fcn_plugin.engine.precision import set_precision
from fcn_plugin.engine.stages import Stage, plan_stages, stages_to_train
from fcn_plugin.utils.config import set_data_root
from fcn_plugin.weights.checkpoint import WeightsError, forbid_unsafe_loading


def parse_args() -> argparse.Namespace:
    """Parse the command line: the toolbox's options, --stage-only and --data-root."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file, for example configs/fcn8s_vgg16_voc.py")
    parser.add_argument("--resume", action="store_true", help="as always here: an interrupted training goes on")
    parser.add_argument(
        "--amp",
        action=argparse.BooleanOptionalAction,
        help="mixed precision (bfloat16, also on the CPU), or float32; default: the config's `precision`",
    )
    parser.add_argument("--stage-only", action="store_true", help="leave out the earlier stages")
    parser.add_argument("--no-check", action="store_true", help="do not read all images and labels before training")
    return parse_arguments(parser)


def plan(args: argparse.Namespace) -> list[Stage]:
    """Read the configs, print what will be done, and return the stages to train."""
    cfg = config_of(args)
    stages = plan_stages(cfg, args.cfg_options, args.stage_only)
    for stage in stages:
        if args.data_root:
            set_data_root(stage.cfg, args.data_root)
        precision = set_precision(stage.cfg, args.amp)
        enable_compile(stage.cfg)
    to_train = stages_to_train(stages)
    if is_first_process():
        print("Plan:")
        for number, stage in enumerate(stages, start=1):
            what = stage.describe() if stage.done or stage in to_train else "not needed: a later stage has a checkpoint"
            print(f"  {number}. {stage.name}: {what}", flush=True)
        print(f"Precision: {precision}", flush=True)
    return to_train


def check(stages: list[Stage], samples: bool) -> None:
    """Check the models, weights and data of the stages to train, before anything is built or written."""
    for stage in stages:
        check_geometry(stage.cfg)
        check_data(stage.cfg, ("train_dataloader", "val_dataloader"))
        check_pretrained(stage.cfg)
        if stage.cfg.get("load_from"):
            check_start(stage.cfg, stage.cfg.load_from)
    if samples:
        check_samples([stage.cfg for stage in stages], ("train_dataloader", "val_dataloader"))


def main() -> None:
    """Plan, check, and train what is missing."""
    args = parse_args()
    forbid_unsafe_loading()
    keep_freed_memory()
    try:
        to_train = plan(args)
        if to_train:
            run_in_first_process(lambda: check(to_train, samples=not args.no_check), to_train[0].cfg)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"error: {error}")
    try:
        for stage in to_train:
            stage.train()
    except WeightsError as error:
        sys.exit(f"error: {error}")
    if not to_train and is_first_process():
        print("Nothing to train: all stages are done. Another --work-dir starts anew.")


if __name__ == "__main__":
    main()
