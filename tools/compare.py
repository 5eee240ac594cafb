"""Compare models image by image, by the predictions that tools/test.py --out wrote; the worst cases first."""

import argparse
import sys

from mmengine.config import DictAction
from rich.console import Console
from rich.progress import track

from fcn_plugin.checks.data import check_data
from fcn_plugin.utils.config import read_config
from fcn_plugin.visualization.comparison import check_empty, compare, write_comparison
from fcn_plugin.visualization.evaluation_set import EvaluationSet
from fcn_plugin.visualization.named_dirs import named_directories
from fcn_plugin.visualization.side_by_side import iou_table


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file with the data, for example configs/fcn8s_vgg16_voc.py")
    parser.add_argument(
        "predictions", nargs="+", metavar="[NAME=]DIR", help="predictions of a model, index PNGs; several to compare"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="directory to make for pictures and tables")
    parser.add_argument("--rows", type=int, default=10, metavar="N", help="rows of pictures; default 10")
    parser.add_argument("--sort", metavar="NAME", help="the model whose worst images are shown; default the last")
    parser.add_argument("--split", choices=["val", "test"], default="val", help="default val")
    parser.add_argument("--data-root", help="root directory of the data set, in place of the config's")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={}, help="override settings: key=value")
    return parser.parse_args()


def main() -> None:
    """Count, write, and print the IoU of the classes."""
    args = parse_args()
    try:
        check_empty(args.out)
        models = named_directories(args.predictions)
        cfg = read_config(args.config, args.cfg_options, args.data_root)
        check_data(cfg, (f"{args.split}_dataloader",))
        data = EvaluationSet(cfg, args.split)
        bar = track(range(len(data)), description="images", console=Console(stderr=True))
        compared = compare(data, models, bar)
        files = write_comparison(compared, args.out, args.rows, args.sort)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"{len(data)} images of the {args.split} split:")
    print(iou_table({model: compared.scores(model).class_iu for model in models}, data.classes))
    print(f"Wrote {len(files)} files to {args.out}.")


if __name__ == "__main__":
    main()
