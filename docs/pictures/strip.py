"""Draw a photograph and what networks predict of it beside each other, as at the top of the README.

    python docs/pictures/strip.py PHOTOGRAPH OUT.jpg FCN-32s=CONFIG:CHECKPOINT FCN-16s=CONFIG:CHECKPOINT ...

Prints what the networks are, for the note beside the picture.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fcn_plugin.apis.inference.predictor import Predictor
from fcn_plugin.visualization.figures import check_picture_name, read_image, save_figure
from fcn_plugin.visualization.palette import blend, paint
from fcn_plugin.weights.checkpoint import read_checkpoint

WIDTH = 12  #: of the strip, in inches
OPACITY = 0.55  #: of the classes over the photograph
LEGEND = 0.01  #: least share of the pixels for which a class is in the legend


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


def brighter(palette: Sequence[Sequence[int]]) -> np.ndarray:
    """The palette, dark colours lifted, uint8 (classes, 3); the background, which is black, in white."""
    colours = np.asarray(palette) / 255
    strongest = colours.max(axis=1, keepdims=True)
    lifted = colours / np.maximum(strongest, 0.01) * strongest**0.3
    return (255 * np.where(strongest > 0, lifted, 1)).round().astype(np.uint8)


def strip(image: np.ndarray, predictions: Mapping[str, np.ndarray], meta: Mapping) -> Figure:
    """The photograph, RGB, uint8 (H, W, 3), and class indices (H, W) painted over it, with captions and a legend."""
    palette = brighter(meta["palette"])
    painted = {name: blend(image, paint(indices, palette), OPACITY) for name, indices in predictions.items()}
    height, width = image.shape[:2]
    figure = Figure(figsize=(WIDTH, WIDTH / (len(painted) + 1) * height / width + 0.7), layout="constrained")
    panels = {"photograph": image, **painted}
    for axes, (name, picture) in zip(figure.subplots(1, len(panels)), panels.items()):
        axes.imshow(picture)
        axes.set_title(name)
        axes.axis("off")
    indices = np.stack(list(predictions.values()))
    shown = [i for i in range(len(palette)) if (indices == i).mean() >= LEGEND]
    patches = [Patch(facecolor=palette[i] / 255, edgecolor="grey", label=meta["classes"][i]) for i in shown]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False)
    return figure


def main() -> None:
    """Predict and draw."""
    args = parse_args()
    try:
        check_picture_name(args.out)
        image, predictions = read_image(args.photograph), {}
        for name, config, checkpoint in map(split, args.networks):
            predictor = Predictor.from_files(config, checkpoint, device="cpu")
            (predictions[name],) = predictor.predict([predictor.read(args.photograph)])
            print(describe(name, config, checkpoint))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    save_figure(strip(image, predictions, predictor.dataset_meta), args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
