"""Test a checkpoint on a config's test set."""

from argparse import ArgumentParser, Namespace

from .options import add_run, run_settings
from .options import arose_before_the_loop as is_user_error  # noqa: F401

EXAMPLES = (
    "fcn test configs/fcn8s_vgg16_voc.py work_dirs/fcn8s_vgg16_voc/iter_100000.pth",
    "fcn test configs/fcn8s_vgg16_voc.py fcn8s.pth --out predictions --show-dir overlays",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the toolbox's options and some more."""
    add_run(parser)
    parser.add_argument("checkpoint", help="checkpoint file")
    parser.add_argument("--out", help="directory for the predictions as index PNGs")
    parser.add_argument("--show", action="store_true", help="show the predictions in a window")
    parser.add_argument("--show-dir", help="directory for the predictions painted over the images")
    parser.add_argument("--wait-time", type=float, default=2, help="seconds to show each prediction")
    parser.add_argument("--tta", action="store_true", help="test-time augmentation: three scales, mirrored")


def run(args: Namespace) -> None:
    """Test; the figures are in the log."""
    from fcn_plugin.apis.test import test

    test(**run_settings(args))
