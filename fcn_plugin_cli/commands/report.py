"""Write a report of a training: metrics, curves, samples, data, weights, environment and config in one HTML file."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from .options import add_data_root

EXAMPLES = (
    "fcn report work_dirs/fcn8s_vgg16_voc",
    "fcn report work_dirs/fcn8s_vgg16_voc --predictions FCN-8s=predictions --out fcn8s.html",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the training and what to show of it."""
    parser.add_argument("work_dir", help="work directory of a training, that of the last stage")
    parser.add_argument("--out", metavar="FILE", help="default WORK_DIR/report.html")
    parser.add_argument(
        "--predictions",
        nargs="+",
        default=[],
        metavar="[NAME=]DIR",
        help="predictions of the validation images (fcn test --out), to show some, from the worst to the best",
    )
    parser.add_argument("--rows", type=int, default=4, metavar="N", help="how many images to show; default 4")
    add_data_root(parser)


def run(args: Namespace) -> None:
    """Write the report."""
    from fcn_plugin.visualization.named_dirs import named_directories
    from fcn_plugin.visualization.report import write_report

    out = args.out or Path(args.work_dir, "report.html")
    write_report(args.work_dir, out, named_directories(args.predictions), args.rows, args.data_root)
    print(f"Wrote {out}.")
