"""Draw the demo's data set of textured shapes, in PASCAL VOC layout."""

from argparse import ArgumentParser, Namespace

EXAMPLES = (
    "fcn prepare shapes data/shapes",
    "fcn prepare shapes data/large_shapes --train 5000 --size 320 256",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add where to, how many, how large."""
    parser.add_argument("out", help="directory to make, for example data/shapes")
    parser.add_argument("--train", type=int, default=1000, metavar="N", help="training images; default %(default)s")
    parser.add_argument("--val", type=int, default=80, metavar="N", help="validation images; default %(default)s")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(160, 128), metavar=("W", "H"), help="64 or more each; default 160 128"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed draws another set; default %(default)s")


def run(args: Namespace) -> None:
    """Write the set and say what happened."""
    from fcn_plugin.datasets.shapes_generator import write_shapes

    if write_shapes(args.out, args.train, args.val, tuple(args.size), args.seed):
        print(f"Wrote {args.train} training and {args.val} validation images to {args.out}.")
    else:
        print(f"Nothing to do: {args.out} is this very set already.")
