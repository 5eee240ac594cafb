"""Draw loss, learning rate and mIoU of one or several trainings, all their stages and sessions in one picture."""

import argparse
import sys

from fcn_plugin.visualization.curves import draw_curves
from fcn_plugin.visualization.figures import save_figure
from fcn_plugin.visualization.named_dirs import named_directories
from fcn_plugin.visualization.receptive_fields import check_picture_name
from fcn_plugin.visualization.run_log import read_stages


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "work_dirs", nargs="+", metavar="[NAME=]WORK_DIR", help="of tools/train.py, that of the last stage"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="picture to write: .png, .svg, .pdf, ...")
    parser.add_argument(
        "--window", type=int, metavar="N", help="of the loss's running median, odd; default a fifteenth, 5 to 101"
    )
    parser.add_argument("--stage-only", action="store_true", help="leave out the earlier stages")
    return parser.parse_args()


def main() -> None:
    """Read the logs and draw them."""
    args = parse_args()
    try:
        check_picture_name(args.out)
        runs = {name: read_stages(path) for name, path in named_directories(args.work_dirs).items()}
        if args.stage_only:
            runs = {name: stages[-1:] for name, stages in runs.items()}
        save_figure(draw_curves(runs, args.window), args.out)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    for name, stages in runs.items():
        print(f"{name}: " + ", ".join(f"{stage.name} {stage.iterations} iterations" for stage in stages))
    print(f"Wrote {args.out}.")


if __name__ == "__main__":
    main()
