"""Time, memory and compute of a config's network, also against pytorch-fcn, and where its time goes."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from .options import add_config

EXAMPLES = (
    "fcn benchmark configs/fcn8s_vgg16_voc.py --layers",
    "fcn benchmark configs/fcn8s_vgg16_voc.py --peer torchfcn --shape 375 500 --json numbers.json",
)


def is_user_error(error: Exception) -> bool:
    """Also what a process of one side says of its end."""
    return isinstance(error, (ValueError, OSError, RuntimeError))


def add_arguments(parser: ArgumentParser) -> None:
    """Add network and measurement."""
    add_config(parser)
    parser.add_argument("--peer", choices=["torchfcn"], help="compare with the same network of this package, in fp32")
    parser.add_argument(
        "--shape", type=int, nargs=2, default=[375, 500], metavar=("H", "W"), help="of the images; default 375 500"
    )
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="images in a batch; default 1")
    parser.add_argument(
        "--dtype", nargs="+", metavar="DTYPE", help="fp32, bf16 or both; default: those that the device computes in"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], help="where to compute; default: a GPU, if there is one")
    parser.add_argument(
        "--repeats", "--repeat-times", type=int, default=5, metavar="N", help="rounds; the sides take turns; default 5"
    )
    parser.add_argument("--layers", action="store_true", help="also tell the time of each layer in a training step")
    parser.add_argument("--sweep", action="store_true", help="also measure 1/4 to 4 times the area, in batches to 4")
    parser.add_argument("--threads", type=int, metavar="N", help="of each process; default: as PyTorch chooses")
    parser.add_argument("--seed", type=int, default=0, help="of weights, images and labels; default 0")
    parser.add_argument("--peer-keeps-memory", action="store_true", help="the peer keeps freed memory, as ours does")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to this file as well")


def run(args: Namespace) -> None:
    """Measure, and print each table as soon as it is there."""
    from fcn_plugin import tools_dir

    repository = tools_dir().parent
    if not (repository / "benchmarks").is_dir():
        raise FileNotFoundError(
            "fcn benchmark needs the folder benchmarks/ of the repository, which is not in the installed package:"
            " run `pip install -e .` in a clone"
        )
    sys.path.insert(0, str(repository))
    from benchmarks.main import benchmark

    benchmark(args)
