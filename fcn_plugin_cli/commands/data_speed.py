"""Measure how fast a config's data pipeline is, and the share of a training step that is spent waiting for it."""

from argparse import ArgumentParser, Namespace

from .options import add_data, read_data_config

EXAMPLES = (
    "fcn data-speed configs/fcn8s_vgg16_voc.py",
    "fcn data-speed configs/fcn8s_vgg16_voc.py --workers 2 4 8 --log work_dirs/fcn8s_vgg16_voc",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add data and measurement."""
    add_data(parser, "train", "val", "test")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[0, 1, 2, 4], metavar="N", help="numbers of workers; default 0 1 2 4"
    )
    parser.add_argument("--seconds", type=float, default=10, help="for how long to measure each; default 10")
    parser.add_argument("--step-seconds", type=float, help="time that a training step computes, to tell the waiting")
    parser.add_argument("--log", help="work directory, or its scalars.json: tell the waiting that was logged there")


def run(args: Namespace) -> None:
    """Measure, and print a line for each number of workers."""
    from fcn_plugin.apis.data_speed import logged_waiting_share, measure

    if args.step_seconds is not None and args.step_seconds <= 0:
        raise ValueError(f"--step-seconds must be more than 0, got {args.step_seconds}")
    if args.log:
        share, seconds = logged_waiting_share(args.log)
        print(f"Logged: {seconds:.3f} s a step, {100 * share:.1f} % of them waiting for data")
    cfg = read_data_config(args)
    print("workers  images/s  per worker" + ("  waiting" if args.step_seconds else ""))
    for workers in args.workers:
        found = measure(cfg, args.split, workers, args.seconds)
        waiting = f"{100 * found.waiting_share(args.step_seconds):7.1f} %" if args.step_seconds else ""
        print(f"{workers:7d}  {found.rate:8.1f}  {found.rate_per_worker:10.1f}{waiting}", flush=True)
