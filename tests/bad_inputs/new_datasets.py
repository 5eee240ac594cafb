"""Folders and options of which no new data set can be made."""

import shutil
from functools import partial

import numpy as np
from PIL import Image

from .case import Bad, Folder

COMMAND = "new-dataset data/JPEGImages data/SegmentationClass --out "


def _other_contents(folder: Folder) -> None:
    (folder.path / "mine").mkdir()
    (folder.path / "mine/notes.txt").write_text("mine")


def _file(folder: Folder) -> None:
    (folder.path / "file").write_text("a file")


def row(name: str, says: str | tuple[str, ...], options: str = "", out: str = "new", **kwargs) -> Bad:
    return Bad(name, says, command=f"{COMMAND}{out} {options}", **kwargs)


TABLE = [
    row("out-has-others", "mine exists with other contents: remove it, or g", out="mine", prepare=_other_contents),
    row("out-is-a-file", "file is a file: give a directory that does not exist", out="file", prepare=_file),
    row("out-below-a-file", "file cannot be written: ", out="file/new", prepare=_file),
    row("out-no-file-system", "/proc cannot be written: ", out="/proc/new"),
    row("out-inside-images", "data/JPEGImages/new and data/JPEGImages are inside each", out="data/JPEGImages/new"),
    row("images-inside-out", "--out data and data/JPEGImages are inside each other: give a directory els", out="data"),
    row("no-share", "--val and --test are shares of the pictures, such as 0.2, and leave some, got 1.5", "--val 1.5"),
    row("nothing-left", "and leave some, got 0.5, 0.5", "--val 0.5 --test 0.5"),
    row("seed", "the seed must be >= 0, got -1", "--seed -1"),
    row("group-expression", "--group-by '(a' is no regular expression: missing )", "--group-by (a"),
]


def _small(folder: Folder, change=None, number: int = 4) -> None:
    """Pictures of noise and masks of 0 and 255, in folders i and m."""
    for name in "im":
        (folder.path / name).mkdir()
    for index in range(number):
        noise = np.random.default_rng(index).integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(noise).save(folder.path / f"i/{index}_a.png")
        Image.fromarray(np.where(noise[..., 0] > 99, 255, 0).astype(np.uint8)).save(folder.path / f"m/{index}_a.png")
    if change:
        change(folder.path / "i", folder.path / "m")


def _remove(folder) -> None:
    for path in folder.iterdir():
        path.unlink()


def _rename(folder) -> None:
    for path in folder.iterdir():
        path.rename(folder / f"x{'pqrs'[int(path.name[0])]}.png")


def _half_of_another_size(folder) -> None:
    for path in [folder / "1_a.png", folder / "3_a.png"]:
        Image.open(path).resize((15, 10), Image.Resampling.NEAREST).save(path)


def _black(folder) -> None:
    for path in folder.iterdir():
        Image.new("L", (30, 20)).save(path)


def _copy_pictures(images, masks) -> None:
    for path in images.iterdir():
        shutil.copy(path, masks)


def _second_masks(folder) -> None:
    for path in list(folder.iterdir()):
        shutil.copy(path, folder / path.name.replace("_a", "_b"))
        path.rename(folder / path.name.replace("_a", "_c"))


def _damage(folder) -> None:
    (folder / "2_a.png").write_bytes((folder / "2_a.png").read_bytes()[:100])


def _deepen(folder) -> None:
    Image.fromarray(np.full((20, 30), 999, np.uint16)).save(folder / "1_a.png")


def small(name: str, says: str | tuple[str, ...], change=None, options: str = "", number: int = 4) -> Bad:
    command = f"new-dataset i m --out new --backbone vgg16 {options}"
    return Bad(name, says, command=command, prepare=partial(_small, change=change, number=number))


TABLE += [
    small("no-pictures", "i has no pictures: expected files such as", lambda images, masks: _remove(images)),
    small("no-masks", "m has nothing, expected a folder of masks", lambda images, masks: _remove(masks)),
    small("no-pair", ("no picture of i has a mask in m by the names", "--pair"), lambda images, masks: _rename(masks)),
    small("another-size", "2 of 4 masks have another size", lambda images, masks: _half_of_another_size(masks)),
    small("pictures-as-masks", "in place of masks", _copy_pictures),
    small("one-class", "the masks have one class only", lambda images, masks: _black(masks)),
    small("two-masks", ("have several masks each in m", "--pair"), lambda images, masks: _second_masks(masks)),
    small("one-picture", "a picture to train on and another to validate on are needed, found 1", number=1),
    small("damaged-picture", "cannot be read: 1 of 4 (i/2_a.png: ", lambda images, masks: _damage(images)),
    small("bits", "pictures must have the same number of bits, but there are with 8: 0_a.pn", lambda i, _: _deepen(i)),
    small("bands", "pictures must have 4 bands, but there are with 3: 0_a.png", options="--bands 4"),
    small("no-group", "--group-by 'cat' is found in no name of a picture: 0_a", options="--group-by cat"),
    small("one-group", "--group-by '_a' puts all 4 pictures into one group, '_a'", options="--group-by _a"),
    small("groups-and-lists", "2 groups cannot be split into 3 lists", options="--test 0.2", number=2),
    small("backbone", "resnet1", options="--backbone resnet1"),
    small("weights", "no.pth", options="--weights no.pth"),
]
