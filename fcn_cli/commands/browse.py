"""Save pictures of what the network sees: after the pipeline, padded to batches, with the labels in colour."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from .options import add_data, read_data_config


def add_arguments(parser: ArgumentParser) -> None:
    """Add data, directory and number."""
    add_data(parser, "train", "val", "test")
    parser.add_argument("--out", help="directory for the pictures; default work_dirs/CONFIG/browse_SPLIT")
    parser.add_argument("--number", type=int, default=10, metavar="N", help="how many pictures; default 10")


def run(args: Namespace) -> None:
    """Save the pictures."""
    from fcn_plugin.apis.browse import browse

    out = args.out or Path("work_dirs", Path(args.config).stem, f"browse_{args.split}")
    files = browse(read_data_config(args), args.split, out, args.number)
    print(f"Saved {len(files)} pictures in {out}.")
