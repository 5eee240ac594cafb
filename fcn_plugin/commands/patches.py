"""Time and memory of classifying an image patch by patch, and of one fully convolutional pass for the same scores."""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.registry import init_default_scope

from ..apis.model import usable_device
from ..paper.patch_classification import PatchClassifier, build_network, compare
from ..paths import config_dir
from ..utils.config import read_config, require
from ..utils.files import atomic_write


def is_user_error(error: Exception) -> bool:
    """Also those of a device that is not there."""
    return isinstance(error, (ValueError, OSError, RuntimeError, AssertionError))


def add_arguments(parser: ArgumentParser) -> None:
    """Add network and measurement."""
    default = config_dir() / "fcn32s_vgg16_voc.py"
    parser.add_argument("config", nargs="?", default=str(default), help=f"of the network; default {default.name}")
    parser.add_argument("--sizes", type=int, nargs="+", help="sides of the images in pixels; default 1 to 64 patches")
    parser.add_argument("--stride", type=int, help="distance of the patches in pixels; default the network's stride")
    parser.add_argument("--batch-size", type=int, default=16, help="patches in a batch; default 16")
    parser.add_argument("--width", type=float, help="multiplier of the channels, such as 0.1 for a quick look")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=device, help="where to compute; default %(default)s")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each way, the median counts; default 3")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to this file as well")


def run(args: Namespace) -> None:
    """Measure, and print a line for each size."""
    if args.json and not args.json.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {args.json.parent} to write {args.json.name} to")
    if args.repeats < 1 or args.batch_size < 1:
        raise ValueError(f"--repeats and --batch-size must be 1 or more, got {args.repeats} and {args.batch_size}")
    init_default_scope("mmseg")
    cfg = read_config(args.config)
    require(cfg, "model")
    classifier = PatchClassifier(build_network(cfg.model, args.width).to(usable_device(args.device)))
    stride = classifier.stride if args.stride is None else args.stride
    sizes = args.sizes or [classifier.size + stride * more for more in (0, 1, 3, 7)]
    found = compare(classifier, sizes, stride, args.repeats, args.batch_size)
    print(f"patches of {classifier.size} pixels, {stride} apart, {args.batch_size} in a batch, on {args.device}")
    print("image  patches    s by patches  s in one pass  faster    MiB by patches  MiB in one pass  difference")
    comparisons = []
    for one in found:
        comparisons.append(asdict(one))
        print(
            f"{one.image_size:5}  {one.patches:7}    {one.patch_seconds:12.4f}  {one.image_seconds:13.4f}"
            f"  {one.patch_seconds / one.image_seconds:6.1f}    {one.patch_bytes / 2**20:14.1f}"
            f"  {one.image_bytes / 2**20:15.1f}  {one.largest_difference:10.0e}",
            flush=True,
        )
    if args.json:
        settings = dict(config=args.config, width=args.width, device=args.device, torch=torch.__version__)
        settings |= dict(patch=classifier.size, stride=stride, batch_size=args.batch_size, repeats=args.repeats)
        with atomic_write(args.json) as partial:
            partial.write_text(json.dumps(dict(**settings, results=comparisons), indent=2) + "\n")
