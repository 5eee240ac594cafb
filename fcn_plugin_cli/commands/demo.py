"""Train FCN-32s, 16s and 8s on drawn shapes and show what finer strides gain: some minutes on a CPU."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from pathlib import Path

EXAMPLES = ("fcn demo", "fcn demo --out shapes_demo --images 20")
INTERRUPTED = "Interrupted: the same command goes on from the last checkpoint."


def add_arguments(parser: ArgumentParser) -> None:
    """Add where to, how many, how."""
    parser.add_argument("--out", type=Path, default=Path("demo_out"), help="where everything goes; default demo_out")
    parser.add_argument("--images", type=int, default=6, metavar="N", help="rows of pictures to draw; default 6")
    parser.add_argument(
        "--amp", action=BooleanOptionalAction, help="mixed precision; default: if the device has bfloat16"
    )


def run(args: Namespace) -> str | None:
    """Train, test and compare; returns what is wrong if nothing was gained."""
    import warnings

    from fcn_plugin.apis.demo import demo

    warnings.filterwarnings("ignore", category=UserWarning)
    return demo(args.out, args.images, args.amp)
