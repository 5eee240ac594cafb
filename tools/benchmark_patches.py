"""Time and memory of classifying an image patch by patch, and of one fully convolutional pass for the same scores."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.registry import init_default_scope

import fcn_plugin
from fcn_plugin.paper.patch_classification import PatchClassifier, build_network, compare
from fcn_plugin.utils.config import read_config
from fcn_plugin.utils.files import atomic_write


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    default = fcn_plugin.config_dir() / "fcn32s_vgg16_voc.py"
    parser.add_argument("config", nargs="?", default=str(default), help="config of the network")
    parser.add_argument("--sizes", type=int, nargs="+", help="sides of the images in pixels; None: of 1 to 64 patches")
    parser.add_argument("--stride", type=int, help="distance of the patches in pixels; None: the network's stride")
    parser.add_argument("--batch-size", type=int, default=16, help="patches in a batch")
    parser.add_argument("--width", type=float, help="multiplier of the channels, such as 0.1 for a quick look")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where to compute")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each way, of which the median is taken")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to this file as well")
    return parser.parse_args()


def check(args: argparse.Namespace) -> None:
    """Refuse options before anything is measured; raises ValueError or FileNotFoundError."""
    if args.json and not args.json.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {args.json.parent} to write {args.json.name} to")
    if args.repeats < 1 or args.batch_size < 1:
        raise ValueError(f"--repeats and --batch-size must be 1 or more, got {args.repeats} and {args.batch_size}")


def main() -> None:
    """Measure, and print a line for each size."""
    args = parse_args()
    init_default_scope("mmseg")
    comparisons = []
    try:
        check(args)
        classifier = PatchClassifier(build_network(read_config(args.config).model, args.width).to(args.device))
        stride = classifier.stride if args.stride is None else args.stride
        sizes = args.sizes or [classifier.size + stride * more for more in (0, 1, 3, 7)]
        found = compare(classifier, sizes, stride, args.repeats, args.batch_size)
        print(f"patches of {classifier.size} pixels, {stride} apart, {args.batch_size} in a batch, on {args.device}")
        print("image  patches    s by patches  s in one pass  faster    MiB by patches  MiB in one pass  difference")
        for one in found:
            comparisons.append(asdict(one))
            print(
                f"{one.image_size:5}  {one.patches:7}    {one.patch_seconds:12.4f}  {one.image_seconds:13.4f}"
                f"  {one.patch_seconds / one.image_seconds:6.1f}    {one.patch_bytes / 2**20:14.1f}"
                f"  {one.image_bytes / 2**20:15.1f}  {one.largest_difference:10.0e}",
                flush=True,
            )
    except (ValueError, OSError, RuntimeError, AssertionError) as error:  # the last two of a device that is not there
        sys.exit(f"error: {error}")
    if args.json:
        settings = dict(config=args.config, width=args.width, device=args.device, torch=torch.__version__)
        settings |= dict(patch=classifier.size, stride=stride, batch_size=args.batch_size, repeats=args.repeats)
        with atomic_write(args.json) as partial:
            partial.write_text(json.dumps(dict(**settings, results=comparisons), indent=2) + "\n")


if __name__ == "__main__":
    main()
