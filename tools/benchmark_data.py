"""Measure how fast a config's data pipeline is, and the share of a training step that is spent waiting for it."""

import argparse
import sys

from mmengine.config import DictAction

from fcn_plugin.apis.data_speed import logged_waiting_share, measure
from fcn_plugin.checks.data import check_data
from fcn_plugin.utils.config import read_config


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file, for example configs/fcn8s_vgg16_voc.py")
    parser.add_argument("--split", choices=["train", "val", "test"], default="train", help="default train")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[0, 1, 2, 4], metavar="N", help="numbers of workers; default 0 1 2 4"
    )
    parser.add_argument("--seconds", type=float, default=10, help="for how long to measure each; default 10")
    parser.add_argument("--step-seconds", type=float, help="time that a training step computes, to tell the waiting")
    parser.add_argument("--log", help="work directory, or its scalars.json: tell the waiting that was logged there")
    parser.add_argument("--data-root", help="root directory of the data set, in place of the config's")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={}, help="override settings: key=value")
    return parser.parse_args()


def main() -> None:
    """Measure, and print a line for each number of workers."""
    args = parse_args()
    try:
        if args.step_seconds is not None and args.step_seconds <= 0:
            raise ValueError(f"--step-seconds must be more than 0, got {args.step_seconds}")
        if args.log:
            share, seconds = logged_waiting_share(args.log)
            print(f"Logged: {seconds:.3f} s a step, {100 * share:.1f} % of them waiting for data")
        cfg = read_config(args.config, args.cfg_options, args.data_root)
        check_data(cfg, (f"{args.split}_dataloader",))
        print("workers  images/s  per worker" + ("  waiting" if args.step_seconds else ""))
        for workers in args.workers:
            found = measure(cfg, args.split, workers, args.seconds)
            waiting = f"{100 * found.waiting_share(args.step_seconds):7.1f} %" if args.step_seconds else ""
            print(f"{workers:7d}  {found.rate:8.1f}  {found.rate_per_worker:10.1f}{waiting}", flush=True)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
