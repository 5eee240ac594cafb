"""Draw the demo's data set of textured shapes, in PASCAL VOC layout."""

import argparse
import sys

from fcn_plugin.datasets.shapes_generator import write_shapes


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("out", help="directory to make, for example data/shapes")
    parser.add_argument("--train", type=int, default=1000, metavar="N", help="number of training images")
    parser.add_argument("--val", type=int, default=80, metavar="N", help="number of validation images")
    parser.add_argument("--size", type=int, nargs=2, default=(160, 128), metavar=("W", "H"), help="pixels, >= 64 each")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws another set")
    return parser.parse_args()


def main() -> None:
    """Write the set and say what happened."""
    args = parse_args()
    try:
        written = write_shapes(args.out, args.train, args.val, tuple(args.size), args.seed)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    if written:
        print(f"Wrote {args.train} training and {args.val} validation images to {args.out}.")
    else:
        print(f"Nothing to do: {args.out} is this very set already.")


if __name__ == "__main__":
    main()
