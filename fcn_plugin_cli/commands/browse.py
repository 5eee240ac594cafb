"""Save pictures of what the network sees: after the pipeline, padded to batches, with the labels in colour."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from .options import add_data, read_data_config

EXAMPLES = (
    "fcn browse configs/fcn8s_vgg16_voc.py",
    "fcn browse configs/fcn8s_vgg16_voc.py --split val --number 20 --out seen",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add data, directory and number."""
    add_data(parser, "train", "val", "test")
    parser.add_argument(
        "--out", "--output-dir", help="directory for the pictures; default work_dirs/CONFIG/browse_SPLIT"
    )
    parser.add_argument("--number", type=int, default=10, metavar="N", help="how many pictures; default 10")
    parser.add_argument("--not-show", action="store_true", help="as always here: no window is opened")


def run(args: Namespace) -> None:
    """Save the pictures."""
    from fcn_plugin.apis.browse import browse

    out = args.out or Path("work_dirs", Path(args.config).stem, f"browse_{args.split}")
    files = browse(read_data_config(args), args.split, out, args.number)
    print(f"Saved {len(files)} pictures in {out}.")
