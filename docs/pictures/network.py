"""Draw the network of a config with its strides and crops.

python docs/pictures/network.py configs/fcn8s_vgg16_voc.py docs/images/fcn8s.svg
"""

import argparse
import os
import sys
from pathlib import Path

import matplotlib

from fcn_plugin.checks.weights import model_to_check
from fcn_plugin.utils.config import read_config
from fcn_plugin.visualization.figures import check_picture_name, save_figure
from fcn_plugin.visualization.network_diagram import draw_network

#: Text that can be read and searched, and, without a date, the same file from the same network.
SVG = {"svg.fonttype": "none", "svg.hashsalt": "fcn_plugin"}
os.environ.setdefault("SOURCE_DATE_EPOCH", "0")


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    try:
        check_picture_name(args.out)
        with matplotlib.rc_context(SVG):
            save_figure(draw_network(model_to_check(read_config(args.config))), args.out)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
