"""Time, memory and compute of a config's network, also against pytorch-fcn, and where its time goes."""

import argparse
import json
import os
import sys
from pathlib import Path

import torch

from fcn_plugin.engine.precision import computes_bfloat16
from fcn_plugin.utils.torch_versions import require

from .process import SideProcess
from .report import sections, table
from .sides import DTYPES, OurSide, PeerSide


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("config", help="config of an experiment, for example configs/fcn8s_vgg16_voc.py")
    parser.add_argument("--peer", choices=["torchfcn"], help="compare with the same network of this package, in fp32")
    parser.add_argument("--shape", type=int, nargs=2, default=[375, 500], metavar=("H", "W"), help="of the images")
    parser.add_argument("--batch", type=int, default=1, help="images in a batch")
    parser.add_argument("--dtype", nargs="+", choices=list(DTYPES), help="None: those that the device computes in")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=5, help="rounds in which the sides take turns")
    parser.add_argument("--layers", action="store_true", help="also tell the time of each layer in a training step")
    parser.add_argument("--sweep", action="store_true", help="also measure 1/4 to 4 times the area, in batches to 4")
    parser.add_argument("--threads", type=int, metavar="N", help="of each process; None: PyTorch's default")
    parser.add_argument("--seed", type=int, default=0, help="of weights, images and labels")
    parser.add_argument("--peer-keeps-memory", action="store_true", help="the peer keeps freed memory, as ours does")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all numbers to this file as well")
    return parser.parse_args()


def check(options: argparse.Namespace) -> None:
    """Refuse what cannot be measured before any process is started; set the dtypes."""
    require("2.4", "the measure of memory")
    for name in ("shape", "batch", "repeats", "threads"):
        value = getattr(options, name)
        if value is not None and min(value if name == "shape" else [value]) <= 0:
            raise ValueError(f"--{name} must be more than 0, got {value}")
    if options.json and not options.json.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {options.json.parent} to write {options.json.name} to")
    if options.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device: use --device cpu")
    if "bf16" in (options.dtype or ()) and not computes_bfloat16():
        raise ValueError(f"this {options.device} device does not compute in bfloat16: use --dtype fp32")
    options.dtype = options.dtype or list(DTYPES)[: 1 + computes_bfloat16()]


def main() -> None:
    """Measure, print each table as soon as it is there, and write the numbers."""
    options = parse_args()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler reports its starts and stops
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the toolbox computes on a GPU wherever it sees one
    found: dict = dict(options=vars(options), torch=torch.__version__)
    try:
        check(options)
        sides = {f"ours {dtype}": SideProcess(f"ours {dtype}", OurSide, options, dtype) for dtype in options.dtype}
        if options.peer:
            sides["torchfcn fp32"] = SideProcess("torchfcn fp32", PeerSide, options)
        shape = " x ".join(map(str, [options.batch, *options.shape]))
        print(f"{options.config}: {shape} pixels, {options.device}, torch {torch.__version__}")
        for title, rows in sections(sides, options):
            found[title] = rows
            print(f"{title}\n{table(rows)}", flush=True)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2, default=str) + "\n")
