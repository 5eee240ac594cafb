"""Whole pictures against tiles that give the same, and against the toolbox's sliding windows, in turns.

    python -m benchmarks.tiles configs/fcn8s_vgg16_voc.py --sizes 500x375 1024x1024 --tile 512

Pictures are drawn: smooth noise, so that labels have regions. The windows of both modes have the same size.
"""

import argparse
from collections.abc import Iterator
from statistics import median
from time import perf_counter

import torch
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from fcn_plugin.apis.model import load_segmentor
from fcn_plugin.engine.precision import computes_bfloat16
from fcn_plugin.utils.config import read_config
from fcn_plugin.utils.peak_memory import PeakMemory

from .report import table
from .sides import DTYPES, build_network, randomise

MIB = 2**20


def picture(size: tuple[int, int], seed: int) -> Tensor:
    """A picture (1, 3, H, W) around 0, as the data preprocessor gives it: noise of 4 to 64 pixels."""
    generator, total = torch.Generator().manual_seed(seed), torch.zeros(1, 3, *size)
    for pixels in (4, 16, 64):
        noise = torch.randn(1, 3, *(side // pixels + 2 for side in size), generator=generator)
        total += nn.functional.interpolate(noise, size, mode="bilinear", align_corners=False)
    return total


def build(options: argparse.Namespace) -> nn.Module:
    """The config's network for tiles, with weights from a file, or random ones."""
    cfg = read_config(options.config)
    cfg.model.test_cfg = dict(mode="tiles", tile=options.tile, batch=options.batch)
    if options.weights:
        model = load_segmentor(cfg, options.weights)[0]
    else:
        model = randomise(build_network(cfg), options.seed)
    return model.to(options.device).eval().requires_grad_(False)


class Modes:
    """The ways of prediction, of the same network.

    Args:
        model (nn.Module): with ``test_cfg`` of mode 'tiles'.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model, locality = model, model.tiling.locality
        side = model.test_cfg.tile + 2 * locality.margin
        step = side * 2 // 3
        self.names = ("whole", "tiles", "slide")
        self.settings = dict(crop_size=(side, side), stride=(step, step))

    def labels(self, name: str, images: Tensor) -> Tensor:
        """Classes (H, W), by ``predict``."""
        self.model.test_cfg.update(mode=name, **self.settings)
        size = images.shape[2:]
        sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size, pad_shape=size))
        return self.model.predict(images, [sample])[0].pred_sem_seg.data[0]

    def logits(self, name: str, images: Tensor) -> Tensor:
        """Logits (1, K, H, W)."""
        self.model.test_cfg.update(mode=name, **self.settings)
        size = images.shape[2:]
        return self.model.inference(images, [dict(ori_shape=size, img_shape=size, pad_shape=size)])


def measured(modes: Modes, images: Tensor, repeats: int) -> Iterator[dict]:
    """A row for each mode."""
    seconds: dict[str, list[float]] = {name: [] for name in modes.names}
    for _ in range(repeats):
        for name in modes.names:
            start = perf_counter()
            modes.labels(name, images)
            seconds[name].append(perf_counter() - start)
    whole = modes.logits("whole", images)
    labels, spread = modes.labels("whole", images), float(whole.max() - whole.min())
    for name in modes.names:
        with PeakMemory() as memory:
            predicted = modes.labels(name, images)
        difference = float((modes.logits(name, images) - whole).abs().max())
        yield {
            "picture": f"{images.shape[3]}x{images.shape[2]}",
            "mode": name,
            "s": median(seconds[name]),
            "peak MiB": memory.peak / MIB,
            "largest difference / range": f"{difference / spread:.1e}",
            "other labels %": f"{100 * float((predicted != labels).double().mean()):.4f}",
        }


def size_of(text: str) -> tuple[int, int]:
    """Height and width of a picture that is written as WIDTHxHEIGHT."""
    try:
        width, height = map(int, text.split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, got {text}") from None
    return height, width


def main() -> None:
    """Print a table for each number format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--weights", help="a checkpoint; random weights without it")
    parser.add_argument("--sizes", nargs="+", type=size_of, default=[(375, 500), (1024, 1024)], metavar="WxH")
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--dtype", nargs="+", choices=list(DTYPES), help="by default those that the device computes in")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = build(options)
    modes = Modes(model)
    for dtype in options.dtype or list(DTYPES)[: 1 + computes_bfloat16()]:
        with torch.no_grad(), torch.autocast(options.device, torch.bfloat16, enabled=dtype == "bf16"):
            rows = [
                row
                for size in options.sizes
                for row in measured(modes, picture(size, options.seed).to(options.device), options.repeats)
            ]
        print(f"{options.config}, {dtype}, torch {torch.__version__}\n{table(rows)}", flush=True)


if __name__ == "__main__":
    main()
