"""Download PASCAL VOC 2012 and SBD, and prepare labels and lists for the configs; run again, it goes on."""

import argparse
import os
import sys

from fcn_plugin.datasets.preparation import check_voc, prepare_voc
from fcn_plugin.datasets.preparation.release import VOC_RELEASE


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    names = [archive.name for archive in (VOC_RELEASE.voc2012, VOC_RELEASE.sbd, VOC_RELEASE.voc2012test)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", default="data/VOCdevkit", help="gets VOC2012; default data/VOCdevkit")
    parser.add_argument(
        "--archives",
        metavar="DIR",
        help=f"take {names[0]}, {names[1]} and, if it is there, {names[2]} from here; nothing is downloaded",
    )
    parser.add_argument(
        "--sbd", action=argparse.BooleanOptionalAction, default=True, help="with SBD's labels, trainaug and seg11valid"
    )
    parser.add_argument(
        "--voc2011", action="store_true", help="get VOC2011's lists as well, and derive seg11valid from them as a proof"
    )
    parser.add_argument("--check", action="store_true", help="change nothing, print what is missing")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="default: one per core")
    parser.add_argument(
        "--url",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="another address of voc2012, sbd or voc2011; may be repeated",
    )
    return parser.parse_args()


def prepare(args: argparse.Namespace) -> str:
    """Prepare, and say what came out."""
    urls = dict(entry.partition("=")[::2] for entry in args.url)
    release = VOC_RELEASE.with_urls(urls)
    options = dict(sbd=args.sbd, voc2011=args.voc2011, workers=args.workers, release=release, report=print)
    if not prepare_voc(args.root, args.archives, **options):
        return f"Nothing to do: {args.root} is complete."
    return f"{args.root} is complete; what is in {args.archives or args.root + '/downloads'} is not needed any more."


def main() -> None:
    """Prepare or check."""
    args = parse_args()
    if args.check:
        problems = check_voc(args.root, args.sbd, VOC_RELEASE)
        print("\n".join(problems) or f"{args.root} is complete.")
        sys.exit(1 if problems else 0)
    try:
        print(prepare(args))
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: the same command goes on from here")


if __name__ == "__main__":
    main()
