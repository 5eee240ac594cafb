"""Train a config with all the stages that lead to it; what is done is kept, what was interrupted goes on."""

import argparse
import sys

from fcn_plugin.engine.bf16_optim_wrapper import enable_amp
from fcn_plugin.engine.command_line import config_of, parse_arguments
from fcn_plugin.engine.distributed import is_first_process
from fcn_plugin.engine.preflight import check_data, check_geometry, set_data_root
from fcn_plugin.engine.pretrained import check_pretrained
from fcn_plugin.engine.stages import Stage, plan_stages, stages_to_train
from fcn_plugin.weights.checkpoint import WeightsError, forbid_unsafe_loading, read_checkpoint


def parse_args() -> argparse.Namespace:
    """Parse the command line: the toolbox's options, --stage-only and --data-root."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file, for example configs/fcn8s_vgg16_voc.py")
    parser.add_argument("--resume", action="store_true", help="as always here: an interrupted training goes on")
    parser.add_argument("--amp", action="store_true", help="train in mixed precision (bfloat16, also on the CPU)")
    parser.add_argument("--stage-only", action="store_true", help="leave out the earlier stages")
    return parse_arguments(parser)


def plan(args: argparse.Namespace) -> list[Stage]:
    """Read the configs, print what will be done, and return the stages to train."""
    cfg = config_of(args)
    stages = plan_stages(cfg, args.cfg_options, args.stage_only)
    if cfg.get("load_from") and "://" not in cfg.load_from:
        read_checkpoint(cfg.load_from)
    for stage in stages:
        if args.data_root:
            set_data_root(stage.cfg, args.data_root)
        if args.amp:
            enable_amp(stage.cfg)
    to_train = stages_to_train(stages)
    if is_first_process():
        print("Plan:")
        for number, stage in enumerate(stages, start=1):
            what = stage.describe() if stage.done or stage in to_train else "not needed: a later stage has a checkpoint"
            print(f"  {number}. {stage.name}: {what}", flush=True)
    return to_train


def main() -> None:
    """Plan, check, and train what is missing."""
    args = parse_args()
    forbid_unsafe_loading()
    try:
        to_train = plan(args)
        for stage in to_train:
            check_geometry(stage.cfg)
            check_data(stage.cfg, ("train_dataloader", "val_dataloader"))
            check_pretrained(stage.cfg)
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
