"""Labels that cannot be read, or look right and are not."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fcn_plugin.datasets import ShapesDataset
from fcn_plugin.datasets.shapes_generator import voc_palette

from .case import TRAIN, Bad, Folder
from .images import pipeline

COLOURS = voc_palette()
LOAD = "dict(type='LoadImageFromFile')"
TOOLBOX = pipeline(LOAD, "dict(type='LoadAnnotations')")
UNREADABLE = "labels that cannot be read: 1\n"
UNLEARNED = "labels without pixels of the classes: 1\n"


def one(change: Callable[[Path], object], name: str = "train_00000") -> Callable[[Folder], None]:
    """Change the file of one label."""
    return lambda folder: change(folder.label(name))


def all_of(change: Callable[[np.ndarray], Image.Image], suffix: str = ".png", **options) -> Callable[[Folder], None]:
    """Save all labels anew."""

    def prepare(folder: Folder) -> None:
        for path in sorted((folder.data / "SegmentationClass").iterdir()):
            with Image.open(path) as label:
                picture = change(np.array(label))
            path.unlink()
            picture.save(path.with_suffix(suffix), **options)

    return prepare


def mapped(old: Sequence[int], new: int) -> Callable[[Folder], None]:
    """Give indices of all labels another value."""
    return lambda folder: folder.change_labels(lambda values: np.where(np.isin(values, old), new, values).astype("u1"))


def save(picture: Callable[[np.ndarray], Image.Image], **options) -> Callable[[Path], None]:
    """Save a label as another picture."""

    def change(path: Path) -> None:
        with Image.open(path) as label:
            values = np.array(label)
        picture(values).save(path, **options)

    return change


def in_colours(values: np.ndarray) -> Image.Image:
    return Image.fromarray(COLOURS[values])


def smoothed(values: np.ndarray) -> Image.Image:
    small = in_colours(values).resize((40, 32), Image.Resampling.BILINEAR)
    return small.resize((80, 64), Image.Resampling.BILINEAR)


def reordered(values: np.ndarray) -> Image.Image:
    """As an editor that orders colours by their number."""
    return in_colours(values).quantize(256, dither=Image.Dither.NONE)


def reversed_palette(values: np.ndarray) -> Image.Image:
    """Classes in the other order, in all files; pixels to ignore keep their index."""
    picture = Image.fromarray(np.where(values == 255, 255, 5 - values.clip(max=5)).astype(np.uint8))
    palette = COLOURS.copy()
    palette[:6] = palette[5::-1]
    picture.putpalette(palette.tobytes())
    return picture


def without_unused(values: np.ndarray) -> Image.Image:
    """As an optimiser that leaves out the colours that do not occur."""
    used, indices = np.unique(np.where(values == 255, 0, values), return_inverse=True)
    picture = Image.fromarray(indices.reshape(values.shape).astype(np.uint8))
    picture.putpalette(COLOURS[used].tobytes())
    return picture


def greys_that_occur(values: np.ndarray) -> Image.Image:
    """As an optimiser that makes palettes of grey pictures."""
    used, indices = np.unique(values, return_inverse=True)
    picture = Image.fromarray(indices.reshape(values.shape).astype(np.uint8))
    picture.putpalette(np.repeat(used, 3).astype(np.uint8).tobytes())
    return picture


def of_16_bits(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.astype(np.uint16) * 257)


SUFFIX = "train_dataloader.dataset.seg_map_suffix=.jpg val_dataloader.dataset.seg_map_suffix=.jpg"
REDUCED = "train_dataloader.dataset.reduce_zero_label=True val_dataloader.dataset.reduce_zero_label=True"
TWO_CLASSES = """train_dataloader = dict(dataset=dict(metainfo=dict(classes=('background', 'disc'))))
val_dataloader = dict(dataset=dict(metainfo=dict(classes=('background', 'disc'))))
model = dict(decode_head=dict(num_classes=2))"""
OTHER_PALETTE = [[9, 9, index] for index in range(6)]
SAME_COLOUR = [list(colour) for colour in ShapesDataset.METAINFO["palette"][:5]] + [[0, 0, 0]]

TABLE = [
    Bad(
        "masks-of-0-and-255",
        (UNLEARNED, "only background has labelled pixels; ", "% of all are 255, the ignored index", "save it as 1"),
        prepare=mapped(range(1, 6), 255),
    ),
    Bad(
        "foreground-of-two-classes-ignored",
        ("only background has labelled pixels", "if that is meant as disc, as in masks of 0 and 255, save it as 1"),
        prepare=mapped(range(1, 6), 255),
        config=TWO_CLASSES,
    ),
    Bad("all-ignored", "no labelled pixel in 8 labels of train: all are 255", prepare=mapped(range(6), 255)),
    Bad(
        "all-of-val-ignored",
        (UNLEARNED, "no labelled pixel in 3 labels of val: all are 255, the ignored index"),
        prepare=lambda folder: folder.change_labels(lambda values: np.full_like(values, 255), "val*"),
    ),
    Bad("all-background", "5 of 6 classes have no labelled pixel in 8", prepare=mapped([1, 2, 3, 4, 5, 255], 0)),
    Bad(
        "a-class-missing",
        (UNLEARNED, "1 of 6 classes have no labelled pixel in 8 labels: ring"),
        prepare=mapped([2], 0),
    ),
    Bad("two-missing", "2 of 6 classes have no labelled pixel in 8 labels: ring, cross", prepare=mapped([2, 5], 1)),
    Bad("zero-reduced", "train_00000.png: 1 in the colour of 2", REDUCED),
    Bad(
        "zero-reduced-without-a-palette",
        "2 of 6 classes have no labelled pixel in 8 labels: triangle, cross",
        REDUCED,
        prepare=mapped([5], 1),
    ),
    Bad("one-bit", "4 of 6 classes", prepare=all_of(lambda values: Image.fromarray(np.isin(values, range(1, 6))))),
    Bad(
        "one-bit-by-opencv",
        "only background has labelled pixels",
        prepare=all_of(lambda values: Image.fromarray(np.isin(values, range(1, 6)))),
        config=pipeline(LOAD, "dict(type='LoadAnnotations', imdecode_backend='cv2')"),
    ),
    Bad("palette-by-colour", ("at other indices", "train_00000.png: ", "in the colour of"), prepare=all_of(reordered)),
    Bad(
        "palette-reversed",
        ("palette labels with the colours of the classes at other indices", "0 in the colour of 5"),
        prepare=all_of(reversed_palette),
    ),
    Bad("palette-without-unused", "in the colour of", prepare=all_of(without_unused, optimize=True)),
    Bad("palette-of-greys", "in the grey of 255", prepare=all_of(greys_that_occur)),
    Bad(
        "palette-reversed-and-read-by-the-toolbox",
        "0 in the colour of 5",
        prepare=all_of(reversed_palette),
        config=TOOLBOX,
    ),
    Bad(
        "colours-as-jpeg",
        ("labels in colours that are not those of the palette: 11\n", "% of its pixels", "JPEG changes colours"),
        SUFFIX,
        prepare=all_of(in_colours, ".jpg", quality=90),
    ),
    Bad("colours-smoothed", ("outlines are smoothed", "save labels as PNG"), prepare=all_of(smoothed)),
    Bad(
        "one-smoothed",
        ("labels in colours that are not those of the palette: 1\n", "val_00001.png: "),
        prepare=one(save(smoothed), "val_00001"),
    ),
    Bad(
        "colours-as-bgr",
        ("if red and blue are exchanged: the labels or the palette are in BGR order", "labels in colours"),
        prepare=all_of(lambda values: Image.fromarray(COLOURS[np.where(values == 255, 0, values), ::-1])),
    ),
    Bad(
        "three-bands",
        "three equal bands of indices: save one",
        prepare=all_of(lambda v: Image.fromarray(np.dstack([v % 255] * 3))),
    ),
    Bad(
        "another-palette",
        ("100.0% of these labels", "labels with colours that are not in the palette"),
        prepare=all_of(in_colours),
        config=pipeline(LOAD, f"dict(type='LoadLabels', palette={OTHER_PALETTE})"),
    ),
    Bad(
        "palette-with-a-colour-twice",
        "in a palette that has the same colour for several classes",
        prepare=all_of(in_colours),
        config=pipeline(LOAD, f"dict(type='LoadLabels', palette={SAME_COLOUR})"),
    ),
    Bad(
        "colours-without-a-palette",
        "a colour picture: give LoadLabels the palette",
        prepare=all_of(in_colours),
        config=pipeline(LOAD),
    ),
    Bad(
        "colours-read-by-the-toolbox",
        "a colour picture: load it with LoadLabels",
        prepare=all_of(in_colours),
        config=TOOLBOX,
    ),
    Bad(
        "transparency-read-by-the-toolbox",
        (UNREADABLE, "a colour picture: load it with LoadLabels"),
        prepare=one(save(lambda values: Image.fromarray(values).convert("LA"))),
        config=TOOLBOX,
    ),
    Bad("sixteen-bits", (UNREADABLE, "its values go from 0 to 65535"), prepare=one(save(of_16_bits))),
    Bad(
        "sixteen-bits-read-by-the-toolbox",
        (UNREADABLE, "of its values, LoadAnnotations keeps 8 bits"),
        prepare=one(save(of_16_bits)),
        config=TOOLBOX,
    ),
    Bad(
        "negative",
        (UNREADABLE, "its values go from -1 to 255"),
        prepare=one(save(lambda values: Image.fromarray(values.astype(np.int32) - (values == 0)), format="TIFF")),
    ),
    Bad(
        "fractions",
        (UNREADABLE, "its values go from 0.0 to 25.5, expected class indices"),
        prepare=one(save(lambda values: Image.fromarray(values.astype(np.float32) / 10), format="TIFF")),
    ),
    Bad("index-beyond-the-classes", ("nor the ignored index: ", ".png: 7 (pixels: "), prepare=mapped([5], 7)),
    Bad(
        "counted-from-one",
        ("nor the ignored index: ", ".png: 6 (pixels: "),
        prepare=lambda folder: folder.change_labels(lambda v: v + (v < 6).astype("u1")),
    ),
    Bad(
        "index-beyond-in-val",
        ("val_00000.png: 77", "nor the ignored index: 3\n"),
        prepare=lambda folder: folder.change_labels(lambda v: np.where(v == 0, 77, v).astype("u1"), "val*"),
    ),
    Bad("another-ignored-index", "train_00000.png: 254 (pixels: ", prepare=mapped([255], 254)),
    Bad(
        "truncated",
        (UNREADABLE, "train_00000.png: "),
        prepare=one(lambda path: path.write_bytes(path.read_bytes()[:300])),
    ),
    Bad("text", (UNREADABLE, "cannot identify image file"), prepare=one(lambda path: path.write_text("text"))),
    Bad("empty", (UNREADABLE, "train_00000.png: "), prepare=one(lambda path: path.write_bytes(b""))),
    Bad("missing", ("missing labels: 1\n", "train_00000.png"), prepare=one(Path.unlink)),
    Bad("another-size", "79x64, the image 80x64", prepare=one(save(lambda values: Image.fromarray(values[:, 1:])))),
    Bad("empty-list", "lists without a single image: 1\n", prepare=lambda folder: (folder.data / TRAIN).write_text("")),
]
