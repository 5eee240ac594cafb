"""Time, memory and compute of a config's network, also against pytorch-fcn, and where its time goes."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from fcn_plugin.benchmark import report
from fcn_plugin.benchmark.benchmark import Benchmark, started
from fcn_plugin.benchmark.setting import DTYPES, Setting, check_setting
from fcn_plugin.utils.files import atomic_write


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
    parser.add_argument("--width", type=float, default=1, metavar="W", help="multiplier of the channels, such as 0.1")
    parser.add_argument("--seed", type=int, default=0, help="of weights, images and labels")
    parser.add_argument("--peer-keeps-memory", action="store_true", help="the peer keeps freed memory, as ours does")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all numbers to this file as well")
    return parser.parse_args()


def check(args: argparse.Namespace) -> tuple[Setting, list[str]]:
    """Refuse options before anything is measured; raises ValueError or FileNotFoundError."""
    if args.repeats < 1:
        raise ValueError(f"--repeats must be 1 or more, got {args.repeats}")
    if args.json and not args.json.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {args.json.parent} to write {args.json.name} to")
    setting = Setting(
        config=args.config,
        shape=tuple(args.shape),
        batch=args.batch,
        device=args.device,
        threads=args.threads,
        width=args.width,
        seed=args.seed,
        peer=args.peer,
        peer_keeps_memory=args.peer_keeps_memory,
    )
    return setting, check_setting(setting, args.dtype)


def measure(benchmark: Benchmark, layers: bool, sweep: bool) -> dict:
    """Measure section by section, and print each as soon as it is there."""
    found: dict = {}

    def section(name: str, text: Callable[..., str], *context: object) -> None:
        found[name] = getattr(benchmark, name)()
        print(text(found[name], *context), flush=True)

    setting = benchmark.setting
    section("machine", lambda machine: report.heading(setting, machine))
    section("differences", report.differences, setting, next(iter(benchmark.sides)))
    section("times", report.times)
    section("memory", report.memory, setting.peer_side)
    section("compute", report.compute, found["times"])
    if layers:
        section("layers", report.layers, found["times"])
    if sweep:
        section("sweep", report.sweep)
    return found


def main() -> None:
    """Measure, print tables, and write the numbers."""
    args = parse_args()
    try:
        setting, dtypes = check(args)
        with started(setting, dtypes, args.repeats) as benchmark:
            found = measure(benchmark, args.layers, args.sweep)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    if args.json:
        settings = dict(setting=asdict(setting), dtypes=dtypes, repeats=args.repeats)
        with atomic_write(args.json) as partial:
            partial.write_text(json.dumps(dict(**settings, **found), indent=2) + "\n")


if __name__ == "__main__":
    main()
