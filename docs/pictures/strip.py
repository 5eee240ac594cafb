"""Draw a photograph and what networks predict of it beside each other, as at the top of the README.

    python docs/pictures/strip.py PHOTOGRAPH OUT.jpg FCN-32s=CONFIG:CHECKPOINT FCN-16s=CONFIG:CHECKPOINT ...

Prints what the networks are, for the note beside the picture.
"""

import argparse
import sys
from pathlib import Path

from fcn_plugin.apis.inference.predictor import Predictor
from fcn_plugin.visualization.figures import check_picture_name, read_image, save_figure
from fcn_plugin.visualization.side_by_side import row_figure
from fcn_plugin.weights.checkpoint import read_checkpoint


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photograph", type=Path)
    parser.add_argument("out", type=Path, help="picture to write, for example docs/images/strip.jpg")
    parser.add_argument("networks", nargs="+", metavar="NAME=CONFIG:CHECKPOINT")
    return parser.parse_args()


def split(network: str) -> tuple[str, str, str]:
    """Name, config and checkpoint of ``NAME=CONFIG:CHECKPOINT``."""
    name, _, files = network.partition("=")
    config, _, checkpoint = files.partition(":")
    if not (name and config and checkpoint):
        raise ValueError(f"expected NAME=CONFIG:CHECKPOINT, got {network!r}")
    return name, config, checkpoint


def describe(name: str, config: str, checkpoint: str) -> str:
    """What there is to say of a network under its picture."""
    iterations = read_checkpoint(checkpoint).get("meta", {}).get("iter")
    return f"{name}: {Path(config).name}, {'weights' if iterations is None else f'{iterations} iterations'}"


def main() -> None:
    """Predict and draw."""
    args = parse_args()
    try:
        check_picture_name(args.out)
        networks = [split(network) for network in args.networks]
        image, predictions = read_image(args.photograph), {}
        for name, config, checkpoint in networks:
            predictor = Predictor.from_files(config, checkpoint, device="cpu")
            (predictions[name],) = predictor.predict([predictor.read(args.photograph)])
            print(describe(name, config, checkpoint))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    meta = predictor.dataset_meta
    figure = row_figure(image, predictions, meta["classes"], meta["palette"])
    figure.axes[0].set_title("photograph")
    save_figure(figure, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
