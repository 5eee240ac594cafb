"""Time, memory and compute of a config's network, also against pytorch-fcn, and where its time goes."""

import argparse
import json
import os

import torch

from fcn_plugin.engine.precision import computes_bfloat16

from .process import SideProcess
from .report import sections, table
from .sides import DTYPES, OurSide, PeerSide


def check(options: argparse.Namespace) -> None:
    """Refuse what cannot be measured before any process is started; set the dtypes."""
    for name in ("shape", "batch", "repeats", "threads"):
        value = getattr(options, name)
        if value is not None and min(value if name == "shape" else [value]) <= 0:
            raise ValueError(f"--{name} must be more than 0, got {value}")
    if options.json and not options.json.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {options.json.parent} to write {options.json.name} to")
    if options.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device: use --device cpu")
    for dtype in options.dtype or ():
        if dtype not in DTYPES:
            raise ValueError(f"--dtype must be {' or '.join(DTYPES)}, got {dtype!r}")
    if "bf16" in (options.dtype or ()) and not computes_bfloat16():
        raise ValueError(f"this {options.device} device does not compute in bfloat16: use --dtype fp32")
    options.dtype = options.dtype or list(DTYPES)[: 1 + computes_bfloat16()]


def benchmark(options: argparse.Namespace) -> None:
    """Measure, print each table as soon as it is there, and write the numbers; the options are those of the command.

    Raises:
        ValueError, FileNotFoundError: for what cannot be measured, before any process is started.
        RuntimeError: naming the side whose process failed.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler reports its starts and stops
    options.device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the toolbox computes on a GPU wherever it sees one
    check(options)
    found: dict = dict(options=vars(options), torch=torch.__version__)
    sides = {f"ours {dtype}": SideProcess(f"ours {dtype}", OurSide, options, dtype) for dtype in options.dtype}
    if options.peer:
        sides["torchfcn fp32"] = SideProcess("torchfcn fp32", PeerSide, options)
    shape = " x ".join(map(str, [options.batch, *options.shape]))
    print(f"{options.config}: {shape} pixels, {options.device}, torch {torch.__version__}")
    for title, rows in sections(sides, options):
        found[title] = rows
        print(f"{title}\n{table(rows)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2, default=str) + "\n")
