"""Time and memory of classifying an image patch by patch, and of one fully convolutional pass for the same scores."""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

EXAMPLES = (
    "fcn patches",
    "fcn patches --width 0.1 --sizes 404 500",
)

#: By default, of the shipped configs.
CONFIG = "fcn32s_vgg16_voc.py"


def is_user_error(error: Exception) -> bool:
    """Also those of a device that is not there."""
    return isinstance(error, (ValueError, OSError, RuntimeError, AssertionError))


def add_arguments(parser: ArgumentParser) -> None:
    """Add network and measurement."""
    parser.add_argument("config", nargs="?", help=f"of the network; default the shipped {CONFIG}")
    parser.add_argument("--sizes", type=int, nargs="+", help="sides of the images in pixels; default 1 to 64 patches")
    parser.add_argument("--stride", type=int, help="distance of the patches in pixels; default the network's stride")
    parser.add_argument("--batch-size", type=int, default=16, help="patches in a batch; default 16")
    parser.add_argument("--width", type=float, help="multiplier of the channels, such as 0.1 for a quick look")
    parser.add_argument("--device", help="for example cpu or cuda:1; default: a GPU, if there is one")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each way, the median counts; default 3")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to this file as well")


def run(args: Namespace) -> None:
    """Measure, and print a line for each size."""
    import torch
    from mmengine.registry import init_default_scope

    from fcn_plugin.apis.model import usable_device
    from fcn_plugin.paper.patch_classification import PatchClassifier, build_network, compare
    from fcn_plugin.paths import config_dir
    from fcn_plugin.utils.config import read_config, require
    from fcn_plugin.utils.files import atomic_write

    if args.json and not args.json.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {args.json.parent} to write {args.json.name} to")
    if args.repeats < 1 or args.batch_size < 1:
        raise ValueError(f"--repeats and --batch-size must be 1 or more, got {args.repeats} and {args.batch_size}")
    init_default_scope("mmseg")
    config = args.config or str(config_dir() / CONFIG)
    cfg = read_config(config)
    require(cfg, "model")
    device = usable_device(args.device)
    classifier = PatchClassifier(build_network(cfg.model, args.width).to(device))
    stride = classifier.stride if args.stride is None else args.stride
    sizes = args.sizes or [classifier.size + stride * more for more in (0, 1, 3, 7)]
    found = compare(classifier, sizes, stride, args.repeats, args.batch_size)
    print(f"patches of {classifier.size} pixels, {stride} apart, {args.batch_size} in a batch, on {device}")
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
        settings = dict(config=config, width=args.width, device=str(device), torch=torch.__version__)
        settings |= dict(patch=classifier.size, stride=stride, batch_size=args.batch_size, repeats=args.repeats)
        with atomic_write(args.json) as partial:
            partial.write_text(json.dumps(dict(**settings, results=comparisons), indent=2) + "\n")
