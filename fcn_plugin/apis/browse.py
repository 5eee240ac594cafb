"""Pictures of what the network sees: after the pipeline and the model's preprocessor, with the labels over it."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.utils.data import DataLoader

from ..checks.data import build_dataset, head_of
from ..checks.weights import model_preprocessing, model_to_check
from ..datasets.transforms.loading import is_step, picture_of
from ..evaluation.confusion import IGNORE_INDEX
from ..evaluation.prediction_names import leaves_of
from ..utils.config import leaf_datasets
from ..utils.files import check_writable
from ..visualization.palette import WHITE, blend, paint

OPACITY = 0.6  #: of the colours of the classes
HATCH = 6  #: distance of the stripes over ignored pixels
NO_CLASS = (255, 0, 255)  #: colour of an index that is no class
GAP, LINE, MIN_WIDTH = 8, 18, 480  #: between the pictures, height of a line of text, width of the whole; in pixels


@dataclass
class NetworkInput:
    """One image of a batch, as the network sees it.

    Attributes:
        path: file of the image.
        image: RGB, uint8 (H, W, 3), padded as in the batch.
        labels: class indices, int64 (H, W), padded likewise.
        size: height and width without the padding, which is at the right and at the bottom.
        mirrored: whether it was mirrored.
    """

    path: str
    image: np.ndarray
    labels: np.ndarray
    size: tuple[int, int]
    mirrored: bool = False


def build_loader(cfg: Config, split: str, num_workers: int = 0) -> DataLoader:
    """Build the dataloader of a split with another number of worker processes.

    Raises:
        ValueError: if the config has no such dataloader, or a list without images.
    """
    name = f"{split}_dataloader"
    settings = copy.deepcopy(cfg.get(name))
    if not settings:
        raise ValueError(f"the config has no {name}")
    init_default_scope(cfg.get("default_scope") or "mmseg")
    for part in leaf_datasets(settings):
        dataset = build_dataset(part, name)
        if dataset is not None and not dataset.data_list:
            raise ValueError(f"the list {dataset.ann_file} has no images")
    settings.update(num_workers=num_workers, persistent_workers=num_workers > 0)
    if num_workers == 0:
        settings.pop("prefetch_factor", None)
    return Runner.build_dataloader(settings, seed=(cfg.get("randomness") or {}).get("seed"))


def network_inputs(cfg: Config, loader: DataLoader, training: bool) -> Iterator[NetworkInput]:
    """The images of a dataloader in its batches, behind the model's preprocessor, which pads them in training."""
    model = model_to_check(cfg)
    preprocessor, settings = model.data_preprocessor, model_preprocessing(model)
    steps = [step for leaf in leaves_of(loader.dataset) for step in leaf.pipeline.transforms]
    image_loader = next((step for step in steps if is_step(step, LoadImageFromFile)), None)
    for batch in loader:
        data = preprocessor(batch, training=training)
        for inputs, data_sample in zip(data["inputs"], data["data_samples"]):
            image = _picture(inputs, settings, image_loader)
            ignored = np.full(image.shape[:2], IGNORE_INDEX)
            labels = data_sample.gt_sem_seg.data[0].numpy() if "gt_sem_seg" in data_sample else ignored
            yield NetworkInput(
                data_sample.img_path, image, labels, tuple(data_sample.img_shape[:2]), bool(data_sample.get("flip"))
            )


def _picture(inputs: Tensor, settings: Mapping, loader: Callable | None = None) -> np.ndarray:
    """The colours that were normalised to a network's input (C, H, W), see :func:`picture_of`."""
    std, mean = (torch.tensor(settings[key]).view(-1, 1, 1) for key in ("std", "mean"))
    image = (inputs * std + mean).permute(1, 2, 0).numpy()
    if settings["bgr_to_rgb"] and image.shape[2] == 3:  # as the toolbox does
        image = image[..., ::-1]
    return np.ascontiguousarray(picture_of(image, loader)[..., ::-1])


def paint_labels(
    sample: NetworkInput, palette: Sequence[Sequence[int]], ignore_index: int = IGNORE_INDEX
) -> np.ndarray:
    """Lay the colours of the classes over the image: RGB, uint8 (H, W, 3).

    Ignored pixels show the image under black and white stripes, padding is crossed by white ones, and indices that are
    no class are magenta.
    """
    painted = blend(sample.image, paint(sample.labels, palette, other=NO_CLASS), OPACITY)
    ignored = sample.labels == ignore_index
    painted[ignored] = sample.image[ignored]
    rows, columns = np.indices(sample.labels.shape)
    padded = (rows >= sample.size[0]) | (columns >= sample.size[1])
    stripe, crossing = (rows + columns) % HATCH, (rows - columns) % HATCH
    painted[ignored & ~padded & (stripe == 1)] = 0
    painted[ignored & ((stripe == 0) | padded & (crossing == 0))] = 255
    return painted


def legend_of(
    sample: NetworkInput, classes: Sequence[str], palette: Sequence[Sequence[int]], ignore_index: int = IGNORE_INDEX
) -> list[tuple[str, tuple[int, ...]]]:
    """Text and colour for what is in the picture: classes with their share of the pixels, ignored ones, padding."""
    height, width = sample.size
    inside = sample.labels[:height, :width]
    values, counts = np.unique(inside, return_counts=True)
    legend = []
    for value, share in zip(values.tolist(), 100 * counts / inside.size):
        name, colour = f"index {value}, no class", NO_CLASS
        if value == ignore_index:
            name, colour = "ignored (striped)", WHITE
        elif 0 <= value < len(classes):
            name, colour = classes[value], tuple(palette[value])
        legend.append((f"{name} {share:.1f} %", colour))
    if inside.size < sample.labels.size:
        legend.append((f"padded (crossed) to {sample.labels.shape[1]}x{sample.labels.shape[0]}", WHITE))
    return legend


def draw(
    sample: NetworkInput, classes: Sequence[str], palette: Sequence[Sequence[int]], ignore_index: int = IGNORE_INDEX
) -> Image.Image:
    """The image, the image under its labels, and below them a line about it and the legend.

    Both are drawn pixel by pixel, without a change of size: the second begins ``GAP`` pixels right of the first.
    """
    height, width = sample.labels.shape
    total = max(2 * width + GAP, MIN_WIDTH)
    font = ImageFont.load_default()
    about = f"{Path(sample.path).name}, {sample.size[1]}x{sample.size[0]}{', mirrored' if sample.mirrored else ''}"
    places, x, y = [], 0, height + LINE
    for text, colour in legend_of(sample, classes, palette, ignore_index):
        needed = int(font.getlength(text)) + 2 * LINE
        if x and x + needed > total:
            x, y = 0, y + LINE
        places.append((x, y, text, colour))
        x += needed
    picture = Image.new("RGB", (total, y + LINE), "white")
    picture.paste(Image.fromarray(sample.image), (0, 0))
    picture.paste(Image.fromarray(paint_labels(sample, palette, ignore_index)), (width + GAP, 0))
    pen = ImageDraw.Draw(picture)
    pen.text((2, height + 3), about, fill="black", font=font)
    for x, y, text, colour in places:
        pen.rectangle((x + 2, y + 3, x + 13, y + 14), fill=colour, outline="grey")
        pen.text((x + LINE, y + 3), text, fill="black", font=font)
    return picture


def browse(cfg: Config, split: str, out: str | Path, number: int = 10) -> list[Path]:
    """Save the first pictures that a network trained or tested by ``cfg`` sees, as ``NUMBER_NAME.png``.

    Args:
        cfg (Config): config of an experiment.
        split (str): ``train``, ``val`` or ``test``.
        out (str | Path): directory for the pictures, made if needed.
        number (int): how many; fewer if the split has fewer.

    Raises:
        ValueError: if the config has no such split, or for a number below 1.
        CannotWriteError: if the directory cannot be written.
    """
    if number < 1:
        raise ValueError(f"the number of pictures must be at least 1, got {number}")
    check_writable(out)
    loader = build_loader(cfg, split)
    meta, out, files = loader.dataset.metainfo, Path(out), []
    out.mkdir(parents=True, exist_ok=True)
    ignore_index = head_of(cfg).get("ignore_index", IGNORE_INDEX)
    for index, sample in enumerate(itertools.islice(network_inputs(cfg, loader, split == "train"), number)):
        files.append(out / f"{index:04d}_{Path(sample.path).stem}.png")
        draw(sample, meta["classes"], meta["palette"], ignore_index).save(files[-1])
    return files
