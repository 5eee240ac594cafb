"""Draws the demo's data set: textured shapes that overlap, in PASCAL VOC layout."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..utils.files import check_writable
from .shapes import ShapesDataset

CLASSES = ShapesDataset.METAINFO["classes"]
IGNORE_INDEX = 255
MIN_SIDE = 64  #: smallest side of an image in pixels
BORDER = 1.0  #: pixels nearer than this to an object's outline are labelled 255
SPLITS = ("train", "val")


def write_shapes(
    out: str | Path,
    num_train: int = 1000,
    num_val: int = 80,
    size: tuple[int, int] = (160, 128),
    seed: int = 0,
) -> bool:
    """Write the data set: images, labels and lists, the same bytes for the same arguments (on one machine).

    Files: ``JPEGImages/NAME.jpg``, ``SegmentationClass/NAME.png`` (palette PNG, 255 around every object) and
    ``ImageSets/Segmentation/{train,val,trainval}.txt``. They are written to a temporary directory beside ``out``,
    which takes the place of ``out`` when it is complete.

    Args:
        out (str | Path): directory to make; its parents are made as well.
        num_train (int): training images, >= 1.
        num_val (int): validation images, >= 1.
        size (tuple[int, int]): width and height in pixels, each >= 64.
        seed (int): >= 0. Each image is drawn from (seed, split, index), so a longer list begins with the shorter one.

    Returns:
        bool: True if the set was written, False if ``out`` was this very set already.

    Raises:
        ValueError: for a number of images, a size or a seed out of range.
        FileExistsError: if ``out`` is a file, or a directory with other contents.
    """
    out = Path(out)
    if num_train < 1 or num_val < 1:
        raise ValueError(f"train and val need at least 1 image each, got {num_train} and {num_val}")
    if min(size) < MIN_SIDE:
        raise ValueError(f"images must be at least {MIN_SIDE}x{MIN_SIDE} pixels, got {size[0]}x{size[1]}")
    if seed < 0:
        raise ValueError(f"the seed must be >= 0, got {seed}")
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file: give a directory that does not exist yet")
    check_writable(out.parent)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary:
        complete = Path(temporary, "set")
        _write_files(complete, dict(zip(SPLITS, (num_train, num_val))), size, seed)
        if out.is_dir():
            if _contents(out) == _contents(complete):
                return False
            if any(out.iterdir()):
                raise FileExistsError(f"{out} exists with other contents: remove it, or give another directory")
            out.rmdir()
        complete.rename(out)
    return True


def _write_files(root: Path, counts: dict[str, int], size: tuple[int, int], seed: int) -> None:
    images, labels, lists = (root / p for p in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"))
    for directory in (images, labels, lists):
        directory.mkdir(parents=True)
    palette = voc_palette()
    names: dict[str, list[str]] = {}
    for number, (split, count) in enumerate(counts.items()):
        names[split] = [f"{split}_{index:05d}" for index in range(count)]
        for index, name in enumerate(names[split]):
            image, label = draw_image(np.random.default_rng([seed, number, index]), *size)
            Image.fromarray(image).save(images / f"{name}.jpg", quality=92)
            picture = Image.fromarray(label)
            picture.putpalette(palette.tobytes())
            picture.save(labels / f"{name}.png")
    names["trainval"] = [name for split in SPLITS for name in names[split]]
    for split, lines in names.items():
        (lists / f"{split}.txt").write_text("".join(f"{line}\n" for line in lines))


def _contents(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}


def voc_palette() -> np.ndarray:
    """The colour map of PASCAL VOC.

    Bit k of the index is spread over the top bits of red, green and blue.

    Returns:
        np.ndarray: RGB, uint8 (256, 3); 255 (the border) is a light beige.
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for level in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> (3 * level + channel) & 1) << (7 - level)).astype(np.uint8)
    return palette


# Signed distances from an outline, negative inside, of a shape of radius r around the origin, in pixels. `part` in
# [0, 1] varies the thickness of thin shapes. Like true distances, none changes by more than 1 from pixel to pixel.
def _disc(u: np.ndarray, v: np.ndarray, r: float, part: float) -> np.ndarray:
    return np.hypot(u, v) - r


def _ring(u: np.ndarray, v: np.ndarray, r: float, part: float) -> np.ndarray:
    half = max(2.5, r * (0.12 + 0.08 * part))
    return np.abs(np.hypot(u, v) - (r - half)) - half


def _square(u: np.ndarray, v: np.ndarray, r: float, part: float) -> np.ndarray:
    return np.maximum(np.abs(u), np.abs(v)) - 0.8 * r


def _triangle(u: np.ndarray, v: np.ndarray, r: float, part: float) -> np.ndarray:
    corners = np.deg2rad([90, 210, 330])
    return np.max([u * np.cos(a) + v * np.sin(a) for a in corners], axis=0) - 0.58 * r


def _cross(u: np.ndarray, v: np.ndarray, r: float, part: float) -> np.ndarray:
    half = max(2.5, r * (0.16 + 0.1 * part))
    u, v = np.abs(u), np.abs(v)
    return np.minimum(np.maximum(u - r, v - half), np.maximum(u - half, v - r))


SHAPES: dict[str, Callable[[np.ndarray, np.ndarray, float, float], np.ndarray]] = dict(
    disc=_disc, ring=_ring, square=_square, triangle=_triangle, cross=_cross
)


def draw_image(rng: np.random.Generator, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw one image and its labels.

    Colour and texture are drawn independently of the class, so only the form tells it.

    Args:
        rng (np.random.Generator): the only source of randomness.
        width (int): in pixels.
        height (int): in pixels.

    Returns:
        tuple[np.ndarray, np.ndarray]: RGB image, uint8 (height, width, 3), and class indices, uint8 (height, width),
        with 255 along the outline of every object.
    """
    y, x = np.mgrid[:height, :width].astype(np.float32)
    colours = [rng.uniform(0, 255, 3)]
    image = _texture(rng, colours[0], x, y)
    label = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(2, 5)):
        kind = int(rng.integers(1, len(CLASSES)))
        r = min(width, height) * 0.2 * 2.2 ** rng.uniform()
        centre, angle, part = rng.uniform(0.1, 0.9, 2) * (width, height), rng.uniform(-0.4, 0.4), rng.uniform()
        dx, dy, cos, sin = x - centre[0], y - centre[1], np.cos(angle), np.sin(angle)
        distance = SHAPES[CLASSES[kind]](cos * dx + sin * dy, cos * dy - sin * dx, r, part)
        colours.append(_distinct_colour(rng, colours))
        opacity = np.clip(0.5 - distance, 0, 1)[..., None]  # outlines are anti-aliased
        image += opacity * (_texture(rng, colours[-1], x, y) - image)
        label[distance < 0] = kind
        label[np.abs(distance) <= BORDER] = IGNORE_INDEX
    image += rng.normal(0, rng.uniform(2, 8), image.shape)
    return np.clip(image, 0, 255).round().astype(np.uint8), label


def _distinct_colour(rng: np.random.Generator, others: list[np.ndarray]) -> np.ndarray:
    """The one of six random colours that is farthest from those in use."""
    candidates = rng.uniform(0, 255, (6, 3))
    nearest = np.linalg.norm(candidates[:, None] - np.array(others), axis=2).min(axis=1)
    return candidates[nearest.argmax()]


def _texture(rng: np.random.Generator, colour: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A plain, striped, chequered or blotched surface of about one colour, float32 (height, width, 3)."""
    amplitude = rng.uniform(5, 20) * rng.choice([-1, 1], 3)
    angle, period = rng.uniform(0, np.pi), rng.uniform(5, 20)
    u = (np.cos(angle) * x + np.sin(angle) * y) * (2 * np.pi / period)
    v = (np.cos(angle) * y - np.sin(angle) * x) * (2 * np.pi / period)
    blotches = rng.normal(0, 1, [max(2, round(side / period)) for side in x.shape]).astype(np.float32)
    kind = rng.integers(4)
    if kind == 0:
        pattern = np.zeros_like(x)
    elif kind == 1:
        pattern = np.sin(u)
    elif kind == 2:
        pattern = np.sign(np.sin(u) * np.sin(v))
    else:
        pattern = cv2.resize(blotches, x.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (colour + pattern[..., None] * amplitude).astype(np.float32)
