"""Measure where the feature maps of any backbone (and neck) lie, check what the config says, draw what cells see."""

import argparse
import sys
import warnings

from mmengine.config import DictAction

from fcn_plugin.apis.alignment import alignment_table, build_trunk, check_stated, geometry_setting, remarks, stated_maps
from fcn_plugin.geometry.measurement import measure_alignment
from fcn_plugin.utils.config import read_config
from fcn_plugin.visualization.receptive_fields import check_picture_name, draw_fields, grey_grid, middle_of, read_image


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="any config of the toolbox; its weights are not read")
    parser.add_argument("--index", type=int, nargs="+", metavar="I", help="which feature maps; default all")
    parser.add_argument("--out", metavar="PICTURE", help="picture of the receptive fields to write, such as fields.png")
    parser.add_argument("--image", metavar="FILE", help="image to draw them on; default a grey grid")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(512, 512), metavar=("H", "W"), help="size of the grid; default 512 512"
    )
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={}, help="override settings: key=value")
    args = parser.parse_args()
    if args.image and not args.out:
        parser.error("--image needs --out PICTURE")
    return args


def main() -> None:
    """Measure, print, draw, compare."""
    args = parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    try:
        if args.out:
            check_picture_name(args.out)
            image = middle_of(read_image(args.image) if args.image else grey_grid(tuple(args.size)))
        cfg = read_config(args.config, args.cfg_options)
        trunk = build_trunk(cfg)
        alignments = measure_alignment(trunk, args.index)
        stated = stated_maps(cfg, trunk.num_maps)
        print(f"{trunk.name}:\n{alignment_table(alignments, stated)}")
        for sentence in remarks(alignments, trunk.left_out):
            print(sentence)
        if args.out:
            draw_fields(args.out, trunk, alignments, image)
            print(f"Picture of {image.shape[0]} x {image.shape[1]} pixels: {args.out}")
        used = list(stated)
        chosen = sorted((a for a in alignments if a.index in used), key=lambda a: used.index(a.index)) or alignments
        check_stated(chosen, stated)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"Maps {', '.join(str(a.index) for a in chosen)}: {geometry_setting(chosen)}")
    print("The config says the same." if stated else "The config does not state positions.")


if __name__ == "__main__":
    main()
