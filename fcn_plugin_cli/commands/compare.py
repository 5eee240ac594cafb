"""Compare models image by image, by the predictions that `fcn test --out` wrote; the worst cases first."""

from argparse import ArgumentParser, Namespace

from .options import add_data, read_data_config

EXAMPLES = ("fcn compare configs/fcn8s_vgg16_voc.py FCN-32s=predictions32 FCN-8s=predictions8 --out compared",)


def add_arguments(parser: ArgumentParser) -> None:
    """Add data, predictions, and what to write."""
    add_data(parser, "val", "test")
    parser.add_argument(
        "predictions", nargs="+", metavar="[NAME=]DIR", help="predictions of a model, index PNGs; several to compare"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="directory to make for pictures and tables")
    parser.add_argument("--rows", type=int, default=10, metavar="N", help="rows of pictures; default 10")
    parser.add_argument("--sort", metavar="NAME", help="the model whose worst images are shown; default the last")


def run(args: Namespace) -> None:
    """Count, write, and print the IoU of the classes."""
    from rich.console import Console
    from rich.progress import track

    from fcn_plugin.visualization.comparison import check_empty, compare, write_comparison
    from fcn_plugin.visualization.evaluation_set import EvaluationSet
    from fcn_plugin.visualization.named_dirs import named_directories
    from fcn_plugin.visualization.side_by_side import iou_table

    check_empty(args.out)
    models = named_directories(args.predictions)
    data = EvaluationSet(read_data_config(args), args.split)
    compared = compare(data, models, track(range(len(data)), description="images", console=Console(stderr=True)))
    files = write_comparison(compared, args.out, args.rows, args.sort)
    print(f"{len(data)} images of the {args.split} split:")
    print(iou_table({model: compared.scores(model).class_iu for model in models}, data.classes))
    print(f"Wrote {len(files)} files to {args.out}.")
