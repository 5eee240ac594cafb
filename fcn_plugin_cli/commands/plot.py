"""Draw loss, learning rate and mIoU of one or several trainings, all their stages and sessions in one picture."""

from argparse import ArgumentParser, Namespace

EXAMPLES = (
    "fcn plot work_dirs/fcn8s_vgg16_voc --out curves.png",
    "fcn plot first=work_dirs/first second=work_dirs/second --stage-only --out curves.svg",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add trainings and picture."""
    parser.add_argument("work_dirs", nargs="+", metavar="[NAME=]WORK_DIR", help="of a training, that of the last stage")
    parser.add_argument("--out", required=True, metavar="FILE", help="picture to write: .png, .svg, .pdf, ...")
    parser.add_argument(
        "--window", type=int, metavar="N", help="of the loss's running median, odd; default a fifteenth, 5 to 101"
    )
    parser.add_argument("--stage-only", action="store_true", help="leave out the earlier stages")


def run(args: Namespace) -> None:
    """Read the logs and draw them."""
    from fcn_plugin.visualization.curves import draw_curves
    from fcn_plugin.visualization.figures import check_picture_name, save_figure
    from fcn_plugin.visualization.named_dirs import named_directories
    from fcn_plugin.visualization.run_log import read_stages

    check_picture_name(args.out)
    runs = {name: read_stages(path) for name, path in named_directories(args.work_dirs).items()}
    if args.stage_only:
        runs = {name: stages[-1:] for name, stages in runs.items()}
    save_figure(draw_curves(runs, args.window), args.out)
    for name, stages in runs.items():
        print(f"{name}: " + ", ".join(f"{stage.name} {stage.iterations} iterations" for stage in stages))
    print(f"Wrote {args.out}.")
