"""Images that cannot be read, are damaged, or are not what the model takes."""

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from .case import Bad, Folder

GREY = "dict(type='LoadImageFromFile', color_type='grayscale')"
PILLOW = "dict(type='LoadImageFromFile', imdecode_backend='pillow')"
ALL_BANDS = "dict(type='LoadImageFromFile', color_type='unchanged')"
DAMAGED, UNREADABLE = "damaged images, which are decoded to wrong pixels: 1\n", "images that cannot be read: 1\n"


def pipeline(image_loader: str, label_loader: str = "dict(type='LoadLabels')") -> str:
    """Settings that load the data otherwise."""
    steps = f"[{image_loader}, {label_loader}, dict(type='PackSegInputs')]"
    return "\n".join(f"{name}_dataloader = dict(dataset=dict(pipeline={steps}))" for name in ("train", "val"))


def saved(name: str, change: Callable[[bytearray], bytes] = bytes, **options) -> Callable[[Folder], None]:
    """Save an image again with options of Pillow, large enough to be damaged in the middle, and change its bytes."""

    def prepare(folder: Folder) -> None:
        path = folder.image(name)
        noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
        content = io.BytesIO()
        Image.fromarray(noise).save(content, **{"format": "JPEG", **options})
        path.write_bytes(change(bytearray(content.getvalue())))

    return prepare


def written(name: str, change: Callable[[Path], None]) -> Callable[[Folder], None]:
    """Replace the file of an image."""
    return lambda folder: change(folder.image(name))


def zeros(content: bytearray) -> bytes:
    half = len(content) // 2
    content[half : half + 200] = bytes(200)
    return bytes(content)


def noise(content: bytearray) -> bytes:
    half = len(content) // 2
    content[half : half + 60] = random.Random(1).randbytes(60)
    return bytes(content)


def hole(content: bytearray) -> bytes:
    return bytes(content[: len(content) // 3] + content[len(content) // 2 :])


def cut(content: bytearray) -> bytes:
    return bytes(content[: len(content) // 2])


def as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(path).save(path, exif=exif)


def halved(path: Path) -> None:
    with Image.open(path) as image:
        image.resize((40, 32)).save(path)


def with_alpha(path: Path) -> None:
    Image.open(path).convert("RGBA").save(path, "PNG")


TABLE = [
    Bad("zeros-in-a-jpeg", (DAMAGED, "train_00001.jpg: Corrupt JPEG data"), prepare=saved("train_00001", zeros)),
    Bad("noise-in-a-jpeg", (DAMAGED, "val_00002.jpg: Corrupt JPEG data"), prepare=saved("val_00002", noise)),
    Bad("hole-in-a-jpeg", (DAMAGED, "train_00003.jpg: Corrupt JPEG"), prepare=saved("train_00003", hole)),
    Bad(
        "damaged-progressive",
        (DAMAGED, "train_00002.jpg: Corrupt JPEG data"),
        prepare=saved("train_00002", zeros, progressive=True),
    ),
    Bad(
        "damaged-and-read-by-pillow",
        (DAMAGED, "train_00001.jpg: Corrupt JPEG data"),
        prepare=saved("train_00001", zeros),
        config=pipeline(PILLOW),
    ),
    Bad(
        "damaged-tiff",
        (DAMAGED, "train_00004.jpg: TIFF_Error"),
        prepare=saved("train_00004", zeros, format="TIFF", compression="tiff_lzw"),
    ),
    Bad("damaged-png", (UNREADABLE, "train_00000.jpg: truncated"), prepare=saved("train_00000", zeros, format="PNG")),
    Bad("truncated-jpeg", (UNREADABLE, "train_00000.jpg: truncated"), prepare=saved("train_00000", cut)),
    Bad("truncated-png", (UNREADABLE, "val_00000.jpg: truncated"), prepare=saved("val_00000", cut, format="PNG")),
    Bad("truncated-tiff", (UNREADABLE, "val_00001.jpg: trunc"), prepare=saved("val_00001", cut, format="TIFF")),
    Bad("empty", (UNREADABLE, "train_00005.jpg: "), prepare=written("train_00005", lambda path: path.write_bytes(b""))),
    Bad("text", (UNREADABLE, "or not a picture"), prepare=written("train_00005", lambda path: path.write_text("text"))),
    Bad("directory", (UNREADABLE, "train_00005.jpg"), prepare=written("train_00005", as_directory)),
    Bad("missing", ("missing images: 1\n", "train_00005.jpg"), prepare=written("train_00005", Path.unlink)),
    Bad("turned", ("64x80", "only one of them follows the image's EXIF"), prepare=written("train_00000", turned)),
    Bad("smaller", "train_00000.png: 80x64, the image 40x32", prepare=written("train_00000", halved)),
    Bad(
        "grey",
        ("train_00000.jpg: 1, but model.backbone.in_channels is 3", "data_preprocessor.mean is 3"),
        config=pipeline(GREY),
    ),
    Bad(
        "colour-for-a-grey-network",
        ("train_00000.jpg: 3, but model.backbone.in_channels is 1", "bands than the model takes: 2\n"),
        "model.backbone.in_channels=1",
    ),
    Bad(
        "grey-with-three-means",
        "train_00000.jpg: 1, but the length of model.data_preprocessor.mean is 3, the length of",
        "model.backbone.in_channels=1",
        config=pipeline(GREY),
    ),
    Bad(
        "transparency-as-a-band",
        "train_00004.jpg: 4, but model.backbone.in_channels is 3",
        prepare=written("train_00004", with_alpha),
        config=pipeline(ALL_BANDS),
    ),
]
