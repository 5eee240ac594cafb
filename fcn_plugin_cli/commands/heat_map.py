"""Show where an ImageNet classifier sees a class: the scores of its layers as convolutions, all over an image."""

from argparse import ArgumentParser, Namespace

from .options import add_preprocessing

EXAMPLES = (
    "fcn heat-map torchvision://vgg16 photo.jpg --top 3 --out heat_map.png",
    "fcn heat-map vgg16.pth photo.jpg --class tabby --names imagenet.txt --out tabby.png",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the parameters of :func:`write_heat_maps`."""
    parser.add_argument(
        "weights", help="VGG or CaffeNet classifier of any known source: file, URL, or torchvision://vgg16"
    )
    parser.add_argument("image", help="image file")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--class", nargs="+", default=[], dest="classes", metavar="CLASS", help="indices, or names out of --names"
    )
    which.add_argument("--top", type=int, default=1, metavar="N", help="the N classes of the highest scores; default 1")
    parser.add_argument("--names", help="file of the classes' names, one a line")
    add_preprocessing(parser)
    parser.add_argument("--config", help="config of the backbone and the neck; by default that of the classifier")
    parser.add_argument("--out", required=True, help="picture to write, for example heat_map.png")


def run(args: Namespace) -> None:
    """Score, draw and say what was found."""
    from fcn_plugin.paper.class_heat_map import write_heat_maps

    lines = write_heat_maps(**vars(args))
    print("\n".join(["The highest score of each class, and its probability there:", *lines, f"Wrote {args.out}."]))
