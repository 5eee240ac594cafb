"""Import weights (torchvision, mmpretrain, Keras, Caffe, pytorch-fcn, a training's own) as a checkpoint to pass on."""

from argparse import ArgumentParser, Namespace

from .options import add_cfg_options, add_preprocessing

EXAMPLES = (
    "fcn import fcn8s-heavy-pascal.caffemodel fcn8s.pth --for configs/fcn8s_vgg16_sbd.py",
    "fcn import torchvision://vgg16 vgg16.pth --fold-preprocessing",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add source, target and changes."""
    parser.add_argument("source", help="file, URL, or a name such as torchvision://vgg16")
    parser.add_argument("out", help="checkpoint to write (.pth)")
    parser.add_argument("--for", dest="config", metavar="CONFIG", help="check that the weights fit this config")
    add_preprocessing(parser)
    parser.add_argument(
        "--fold-preprocessing",
        action="store_true",
        help="fold RGB -> BGR and the standard deviation into the first convolution: the result takes Caffe's input",
    )
    parser.add_argument(
        "--in-channels",
        type=int,
        metavar="N",
        help="adapt the first convolution from 3 bands to N: summed for 1, else repeated in turn and scaled by 3/N",
    )
    parser.add_argument(
        "--dtype", choices=("bfloat16", "float16"), help="save the weights in this format, in half the space"
    )
    add_cfg_options(parser)


def run(args: Namespace) -> None:
    """Import, check, save."""
    import torch

    from fcn_plugin.apis.class_meta import note_classes
    from fcn_plugin.checks.weights import check_fit
    from fcn_plugin.utils.config import read_config
    from fcn_plugin.weights.download import local_file
    from fcn_plugin.weights.first_convolution import with_bands
    from fcn_plugin.weights.importing import cast_weights, import_weights, save_weights, set_preprocessing
    from fcn_plugin.weights.preprocessing import describe, fold_preprocessing, named_preprocessing

    named_preprocessing(args.preprocessing)  # before anything is downloaded
    checkpoint = import_weights(local_file(args.source))
    meta = checkpoint["meta"]
    set_preprocessing(checkpoint, args.preprocessing, args.source)
    if args.fold_preprocessing:
        folded = fold_preprocessing(checkpoint["state_dict"], meta["preprocessing"])
        checkpoint["state_dict"], meta["preprocessing"] = folded
    if args.in_channels is not None:
        checkpoint["state_dict"] = with_bands(checkpoint["state_dict"], args.in_channels, args.source)
    if args.config:
        cfg = read_config(args.config, args.cfg_options)
        parts = check_fit(checkpoint, cfg, args.source)
        if "decode_head" in parts:
            note_classes(checkpoint, cfg)
    if args.dtype:
        checkpoint["state_dict"] = cast_weights(checkpoint["state_dict"], getattr(torch, args.dtype))
    save_weights(checkpoint, args.out)
    source = meta.get("source", {})
    print(f"{args.out}: {len(checkpoint['state_dict'])} tensors, {meta.get('architecture', 'a segmentor')}")
    print(f"  from  {source.get('format', 'fcn_plugin')} {source.get('file', args.source)}")
    if source:
        print(f"  sha256 {source['sha256']}")
    adapted = f", before they were adapted to {args.in_channels} bands" if args.in_channels not in (None, 3) else ""
    print(f"  input {describe(meta['preprocessing'])}{adapted}")
    if args.config:
        print(f"  fits  {' and '.join(parts)} of {args.config}")
