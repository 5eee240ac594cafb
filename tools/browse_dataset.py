"""Save pictures of what the network sees: after the pipeline, padded to batches, with the labels in colour."""

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction

from fcn_plugin.apis.browse import browse
from fcn_plugin.checks.data import check_data
from fcn_plugin.utils.config import read_config


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file, for example configs/fcn8s_vgg16_voc.py")
    parser.add_argument("--split", choices=["train", "val", "test"], default="train", help="default train")
    parser.add_argument("--out", help="directory for the pictures; default work_dirs/CONFIG/browse_SPLIT")
    parser.add_argument("--number", type=int, default=10, metavar="N", help="how many pictures; default 10")
    parser.add_argument("--data-root", help="root directory of the data set, in place of the config's")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={}, help="override settings: key=value")
    return parser.parse_args()


def main() -> None:
    """Read the config, and save the pictures."""
    args = parse_args()
    try:
        cfg = read_config(args.config, args.cfg_options, args.data_root)
        check_data(cfg, (f"{args.split}_dataloader",))
        out = args.out or Path("work_dirs", Path(args.config).stem, f"browse_{args.split}")
        files = browse(cfg, args.split, out, args.number)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"Saved {len(files)} pictures in {out}.")


if __name__ == "__main__":
    main()
