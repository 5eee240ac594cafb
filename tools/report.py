"""Write a report of a training: metrics, curves, samples, data, weights, environment and config in one HTML file."""

import argparse
import sys
from pathlib import Path

from fcn_plugin.visualization.named_dirs import named_directories
from fcn_plugin.visualization.report import write_report


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work_dir", help="work directory of tools/train.py, that of the last stage")
    parser.add_argument("--out", metavar="FILE", help="default WORK_DIR/report.html")
    parser.add_argument(
        "--predictions",
        nargs="+",
        default=[],
        metavar="[NAME=]DIR",
        help="predictions of the validation images (tools/test.py --out), to show some, from the worst to the best",
    )
    parser.add_argument("--rows", type=int, default=4, metavar="N", help="how many images to show; default 4")
    parser.add_argument("--data-root", help="root directory of the data set, in place of the config's")
    return parser.parse_args()


def main() -> None:
    """Write the report."""
    args = parse_args()
    out = args.out or Path(args.work_dir, "report.html")
    try:
        write_report(args.work_dir, out, named_directories(args.predictions), args.rows, args.data_root)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"Wrote {out}.")


if __name__ == "__main__":
    main()
