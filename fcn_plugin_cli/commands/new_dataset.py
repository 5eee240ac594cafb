"""Make a data set in VOC layout, and the config that trains on it, from a folder of pictures and their masks."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

EXAMPLES = (
    "fcn new-dataset images masks --out data/mine",
    "fcn new-dataset images masks --out data/mine --classes background vessel --test 0.2 --group-by 'patient[0-9]+'",
    "fcn new-dataset images annotations.json --out data/mine --link --fast",
)

INTERRUPTED = "Interrupted: nothing was written."


def add_arguments(parser: ArgumentParser) -> None:
    """Add what to read, how to split it, and what to train."""
    parser.add_argument("images", metavar="IMAGES", type=Path, help="folder of pictures")
    parser.add_argument(
        "masks",
        metavar="MASKS",
        type=Path,
        help="their labels: a folder of masks, or annotations of COCO, labelme, CVAT, Roboflow or Label Studio",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="directory to make")
    labels = parser.add_argument_group("labels")
    labels.add_argument("--pair", metavar="PATTERN", help="how names belong together: '{}_training={}_manual1'")
    labels.add_argument(
        "--classes", nargs="+", metavar="NAME", help="names of the masks' classes in order, or which classes"
    )
    labels.add_argument(
        "--ignore",
        nargs="+",
        default=[],
        metavar="VALUE",
        help="values, colours (#rrggbb) or names of pixels to ignore",
    )
    lists = parser.add_argument_group("lists")
    lists.add_argument(
        "--val",
        type=float,
        metavar="SHARE",
        help="to validate on; default 0.2, or what lies in folders called train, valid and test",
    )
    lists.add_argument("--test", type=float, default=0.0, metavar="SHARE", help="to test on; default none")
    lists.add_argument(
        "--group-by",
        metavar="REGEX",
        help="pictures in whose names this finds the same stay in one list: 'patient[0-9]+', '^[^_]+' is what is before"
        " the first _, '.*/' the folder",
    )
    lists.add_argument("--seed", type=int, default=0, help="another seed splits otherwise; default %(default)s")
    lists.add_argument("--link", action="store_true", help="make symbolic links to the pictures, and no copies")
    training = parser.add_argument_group("training")
    training.add_argument(
        "--backbone", metavar="NAME", help="one of timm, or vgg16 for the paper's; default a light one"
    )
    training.add_argument("--weights", type=Path, metavar="FILE", help="of the backbone; default those of timm")
    training.add_argument("--bands", type=int, metavar="N", help="of the pictures; default as they are")
    training.add_argument("--sigmoid", action="store_true", help="one logit for two classes, in place of a softmax")
    training.add_argument(
        "--fast", action="store_true", help="a training of 15 minutes on two cores, to see all is well"
    )


def run(args: Namespace) -> None:
    """Make the data set, and say what it is and how to go on."""
    from rich.console import Console

    from fcn_plugin.apis.new_dataset.choices import Wishes
    from fcn_plugin.apis.new_dataset.new_dataset import new_dataset
    from fcn_plugin.apis.new_dataset.summary import next_commands, show

    settings = dict(vars(args))
    wishes = {name: settings.pop(name) for name in ("backbone", "fast", "sigmoid", "weights")}
    made = new_dataset(
        **settings, wishes=Wishes(**{name: value for name, value in wishes.items() if value is not None})
    )
    if made is None:
        print(f"Nothing to do: {args.out} was made from these pictures with these options already.")
        print("\n".join(["How to go on:", *next_commands(args.out)]))
    else:
        show(made, Console())
