"""Measure where the feature maps of any backbone (and neck) lie, check what the config says, draw what cells see."""

import warnings
from argparse import ArgumentError, ArgumentParser, Namespace

from .options import add_cfg_options, add_config

EXAMPLES = (
    "fcn alignment configs/fcn8s_r50_camvid.py",
    "fcn alignment configs/fcn8s_vgg16_voc.py --index 2 3 --out fields.png --image photo.jpg",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add config, maps and picture."""
    add_config(parser, "any config of the toolbox; its weights are not read")
    parser.add_argument("--index", type=int, nargs="+", metavar="I", help="which feature maps; default all")
    parser.add_argument("--out", metavar="PICTURE", help="picture of the receptive fields to write, such as fields.png")
    parser.add_argument("--image", metavar="FILE", help="image to draw them on; default a grey grid")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(512, 512), metavar=("H", "W"), help="size of the grid; default 512 512"
    )
    add_cfg_options(parser)


def run(args: Namespace) -> None:
    """Measure, print, draw, compare."""
    from fcn_plugin.apis.alignment import (
        alignment_table,
        build_feature_extractor,
        check_stated,
        geometry_setting,
        remarks,
        stated_maps,
    )
    from fcn_plugin.geometry.measurement import measure_alignment
    from fcn_plugin.utils.config import read_config
    from fcn_plugin.visualization.figures import check_picture_name, read_image
    from fcn_plugin.visualization.receptive_fields import draw_fields, grey_grid, middle_of

    if args.image and not args.out:
        raise ArgumentError(None, "--image needs --out PICTURE")
    warnings.filterwarnings("ignore", category=UserWarning)
    if args.out:
        check_picture_name(args.out)
        image = middle_of(read_image(args.image) if args.image else grey_grid(tuple(args.size)))
    cfg = read_config(args.config, args.cfg_options)
    extractor = build_feature_extractor(cfg)
    alignments = measure_alignment(extractor, args.index)
    stated = stated_maps(cfg, extractor.num_maps)
    print(f"{extractor.name}:\n{alignment_table(alignments, stated)}")
    for sentence in remarks(alignments, extractor.left_out):
        print(sentence)
    if args.out:
        draw_fields(args.out, extractor, alignments, image)
        print(f"Picture of {image.shape[0]} x {image.shape[1]} pixels: {args.out}")
    used = list(stated)
    chosen = sorted((a for a in alignments if a.index in used), key=lambda a: used.index(a.index)) or alignments
    check_stated(chosen, stated)
    print(f"Maps {', '.join(str(a.index) for a in chosen)}: {geometry_setting(chosen)}")
    print("The config says the same." if stated else "The config does not state positions.")
