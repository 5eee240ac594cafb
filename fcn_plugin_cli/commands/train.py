"""Train a config with all the stages that lead to it; what is done is kept, what was interrupted goes on."""

from argparse import ArgumentParser, Namespace

from .options import add_run, run_settings
from .options import arose_before_the_loop as is_user_error  # noqa: F401

EXAMPLES = (
    "fcn train configs/fcn32s_vgg16_voc.py",
    "fcn train configs/fcn8s_vgg16_voc.py --data-root data/VOCdevkit/VOC2012 --amp",
    "fcn train configs/fcn8s_vgg16_voc.py --cfg-options train_cfg.max_iters=20000 train_dataloader.batch_size=4",
)

INTERRUPTED = "Interrupted: the same command goes on from the last checkpoint."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the toolbox's options and some more."""
    add_run(parser)
    parser.add_argument("--resume", action="store_true", help="as always here: a training that was interrupted goes on")
    parser.add_argument(
        "--accept-changes", action="store_true", help="go on with settings that have changed since the interruption"
    )
    parser.add_argument("--stage-only", action="store_true", help="leave out the earlier stages")


def run(args: Namespace) -> None:
    """Train."""
    from fcn_plugin.apis.train import train

    settings = run_settings(args)
    del settings["resume"]
    train(**settings)
