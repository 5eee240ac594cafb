"""Print the mean IU that the truth itself reaches once it is downsampled: a ceiling for predictions of that stride."""

from argparse import ArgumentParser, Namespace

EXAMPLES = (
    "fcn oracle data/VOCdevkit/VOC2012/SegmentationClass",
    "fcn oracle VOC2012/SegmentationClass --list seg11valid.txt --factors 8 16 32",
)

#: Mean IU in percent by factor, on a subset of PASCAL VOC 2011 val (PAMI paper, section 6, "Upper Bounds on IU").
PAPER = {128: 50.9, 64: 73.3, 32: 86.1, 16: 92.8, 8: 96.4, 4: 98.5}


def add_arguments(parser: ArgumentParser) -> None:
    """Add labels and downsampling."""
    parser.add_argument("labels", metavar="LABEL_DIR", help="index PNGs, for example VOC2012/SegmentationClass")
    parser.add_argument(
        "--factors", type=int, nargs="+", default=list(PAPER), metavar="N", help="default the paper's: 128 to 4"
    )
    parser.add_argument("--list", metavar="FILE", help="names of the labels to use, one per line; default all")
    parser.add_argument("--num-classes", type=int, metavar="N", help="a higher index is an error; default any")
    parser.add_argument(
        "--ignore-index", type=int, default=255, metavar="I", help="pixels that do not count; default 255"
    )
    how = "from one label per cell (nearest), the default, or from scores (bilinear)"
    parser.add_argument("--upsampling", default="nearest", metavar="HOW", help=how)


def run(args: Namespace) -> None:
    """Read the labels, downsample and score them; print the mean IU by factor, beside the paper's."""
    import numpy as np
    from prettytable import PrettyTable

    from fcn_plugin.paper.oracle import find_labels, oracle_scores

    files = find_labels(args.labels, args.list)
    scores = oracle_scores(files, args.factors, args.num_classes, args.ignore_index, args.upsampling)
    table = PrettyTable(["factor", "mean IU", "paper"], align="r")
    for factor, figures in scores.items():
        table.add_row([factor, f"{100 * figures.mean_iu:.1f}", PAPER.get(factor, "-")])
    classes = np.isfinite(next(iter(scores.values())).class_iu).sum()
    print(f"{len(files)} labels of {classes} classes, downsampled and upsampled back ({args.upsampling}), in percent:")
    print(table)
    print("paper: on a subset of PASCAL VOC 2011 val; other labels have other ceilings.")
