"""Write a trained network as ONNX (.onnx) or torch.export (.pt2), compared with PyTorch on images of several sizes."""

import json
import logging
import warnings
from argparse import ArgumentParser, Namespace

from .options import add_cfg_options, add_config

EXAMPLES = (
    "fcn export configs/fcn8s_vgg16_voc.py fcn8s.pth --out fcn8s.onnx",
    "fcn export configs/fcn8s_vgg16_voc.py fcn8s.pth --out fcn8s.pt2 --shape 512 512 --fixed-size",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add network, file and form."""
    add_config(parser)
    parser.add_argument("weights", help="checkpoint of any known source: file, URL or name")
    parser.add_argument(
        "--out", "--output-file", required=True, metavar="FILE", help="file to write, ending in .onnx or .pt2"
    )
    parser.add_argument(
        "--shape", type=int, nargs=2, default=(256, 320), metavar=("H", "W"), help="size to export at; default 256 320"
    )
    parser.add_argument("--fixed-size", action="store_true", help="take single images of --shape alone, not any size")
    parser.add_argument(
        "--prepared-input", action="store_true", help="leave channel order, mean and std to the caller of the network"
    )
    parser.add_argument(
        "--opset", "--opset-version", type=int, help="version of ONNX's operators; default: as PyTorch chooses"
    )
    parser.add_argument("--no-check", action="store_true", help="do not compare the file with PyTorch")
    add_cfg_options(parser)


def run(args: Namespace) -> None:
    """Export, compare, and say what the file takes and gives."""
    from fcn_plugin.apis.export.exporting import export_network
    from fcn_plugin.utils.config import read_config

    warnings.filterwarnings("ignore")  # exporters warn of their own future
    logging.getLogger("torch").setLevel(logging.ERROR)
    exported = export_network(
        read_config(args.config, args.cfg_options),
        args.weights,
        args.out,
        shape=tuple(args.shape),
        opset=args.opset,
        prepared_input=args.prepared_input,
        fixed_size=args.fixed_size,
        check=not args.no_check,
    )
    metadata = exported.metadata
    print(f"{exported.path}: {exported.path.stat().st_size / 2**20:.1f} MiB")
    print(f"  {metadata['input']}\n  {metadata['output']}")
    print(f"  classes: {', '.join(json.loads(metadata['classes'])) if 'classes' in metadata else 'names not known'}")
    print("Not compared with PyTorch." if args.no_check else "Compared with PyTorch, images x height x width:")
    for difference in exported.differences:
        print(f"  {difference}")
