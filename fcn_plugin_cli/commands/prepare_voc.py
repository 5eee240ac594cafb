"""Download PASCAL VOC 2012 and SBD, and prepare labels and lists for the configs; run again, it goes on."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace

from .options import add_workers

EXAMPLES = (
    "fcn prepare voc",
    "fcn prepare voc data/VOCdevkit --archives downloads",
    "fcn prepare voc data/VOCdevkit --check",
)

INTERRUPTED = "Interrupted: the same command goes on from here."


def is_user_error(error: Exception) -> bool:
    """Also a server that fails."""
    return isinstance(error, (ValueError, OSError, RuntimeError))


def add_arguments(parser: ArgumentParser) -> None:
    """Add where from, where to, and what."""
    parser.add_argument("root", nargs="?", default="data/VOCdevkit", help="gets VOC2012; default data/VOCdevkit")
    parser.add_argument(
        "--archives",
        metavar="DIR",
        help="take the published archives of VOC 2012, SBD and, if it is there, VOC 2012 test from here; nothing is"
        " downloaded",
    )
    parser.add_argument(
        "--sbd", action=BooleanOptionalAction, default=True, help="with SBD's labels, trainaug and seg11valid"
    )
    parser.add_argument(
        "--voc2011",
        action="store_true",
        help="download VOC2011's lists too, to check seg11valid against them",
    )
    parser.add_argument("--check", action="store_true", help="change nothing, print what is missing")
    add_workers(parser)
    parser.add_argument(
        "--url",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="another address of voc2012, sbd or voc2011; may be repeated",
    )


def run(args: Namespace) -> int:
    """Prepare or check; returns 1 if a check found something missing."""
    from fcn_plugin.datasets.preparation import check_voc, prepare_voc
    from fcn_plugin.datasets.preparation.release import VOC_RELEASE

    if args.check:
        problems = check_voc(args.root, args.sbd, VOC_RELEASE)
        print("\n".join(problems) or f"{args.root} is complete.")
        return int(bool(problems))
    release = VOC_RELEASE.with_urls(dict(entry.partition("=")[::2] for entry in args.url))
    options = dict(sbd=args.sbd, voc2011=args.voc2011, workers=args.workers, release=release, report=print)
    if prepare_voc(args.root, args.archives, **options):
        downloads = args.archives or args.root + "/downloads"
        print(f"{args.root} is complete; what is in {downloads} is not needed any more.")
    else:
        print(f"Nothing to do: {args.root} is complete.")
    return 0
