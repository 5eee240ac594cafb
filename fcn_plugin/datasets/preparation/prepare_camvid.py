"""CamVid, from the 480x360 release of the SegNet tutorial to VOC layout."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from ...utils.files import atomic_write
from ..camvid import CamVidDataset
from .files import for_each, log, missing_files, remove_partial_files
from .lists import FOLDER, list_problems, tree_problems, write_list

IMAGES, LABELS = "JPEGImages", "SegmentationClass"
NUM_CLASSES = len(CamVidDataset.METAINFO["classes"])
VOID, IGNORE_INDEX = NUM_CLASSES, 255  #: label of void in the release, and here
#: Of 256 colours: with fewer, Pillow would store the labels in too few bits for 255.
PALETTE = np.zeros((256, 3), np.uint8)
PALETTE[:NUM_CLASSES] = CamVidDataset.METAINFO["palette"]


@dataclass(frozen=True)
class CamVidRelease:
    """What the release has.

    Attributes:
        counts (Mapping[str, int]): number of frames of each list.
        size (tuple[int, int]): width and height of each frame in pixels.
    """

    counts: Mapping[str, int] = field(default_factory=lambda: dict(train=367, val=101, test=233))
    size: tuple[int, int] = (480, 360)


CAMVID_RELEASE = CamVidRelease()


def prepare_camvid(
    source: str | Path,
    root: str | Path,
    *,
    workers: int = 1,
    release: CamVidRelease = CAMVID_RELEASE,
    report: Callable[[str], object] = log,
) -> bool:
    """Write the release in VOC layout: frames as published (PNG, no loss), labels as palette PNGs with void as 255.

    The lists keep the release's order. What is there is kept: a call that was interrupted is continued by the next one.

    Args:
        source (str | Path): has ``train.txt``, ``train/``, ``trainannot/``, and so for ``val`` and ``test``.
        root (str | Path): directory to make.
        workers (int): number of processes, >= 1.
        release (CamVidRelease): what the release has to contain.
        report (Callable): is told what is done.

    Returns:
        bool: False if there was nothing to do.

    Raises:
        FileNotFoundError: if ``source`` lacks a list, a frame or a label.
        ValueError: if a list, a frame or a label is not as in the release, or an argument is wrong.
    """
    source, root = Path(source), Path(root)
    if root.exists() and not root.is_dir():
        raise ValueError(f"{root} is a file: give a directory, such as data/camvid")
    if workers < 1:
        raise ValueError(f"expected 1 worker or more, got {workers}")
    if not check_camvid(root, release):
        return False
    frames = {split: _read_frames(source, split) for split in release.counts}
    lists = {split: [image.stem for image, _ in pairs] for split, pairs in frames.items()}
    if problems := list_problems(lists, release.counts, combinations(lists, 2)):
        raise ValueError(f"{source}: {'; '.join(problems)}")
    by_name = {image.stem: (image, label) for pairs in frames.values() for image, label in pairs}
    for folder in (IMAGES, LABELS):
        (root / folder).mkdir(parents=True, exist_ok=True)
    todo = {*missing_files(root / IMAGES, [*by_name], ".png"), *missing_files(root / LABELS, [*by_name], ".png")}
    report(f"{len(todo)} of {len(by_name)} frames to write to {root}")
    convert = partial(_convert_frame, frames=by_name, root=root, size=release.size)
    for_each(convert, [name for name in by_name if name in todo], workers, "Converting CamVid")
    for split, names in lists.items():
        write_list(root / FOLDER / f"{split}.txt", names)
    remove_partial_files(*(root / folder for folder in (IMAGES, LABELS, FOLDER)))
    if problems := check_camvid(root, release):
        raise ValueError("; ".join(problems))
    return True


def check_camvid(root: str | Path, release: CamVidRelease = CAMVID_RELEASE) -> list[str]:
    """What is missing or wrong in a prepared directory; reads only.

    Returns:
        list[str]: one sentence each, none if all is well.
    """
    folders = dict.fromkeys(release.counts, LABELS)
    return tree_problems(Path(root), folders, release.counts, combinations(release.counts, 2), ".png")


def _read_frames(source: Path, split: str) -> list[tuple[Path, Path]]:
    """The files of a list, whose lines are paths on the publishers' machine: /SegNet/CamVid/FOLDER/NAME.png, twice."""
    path = source / f"{split}.txt"
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: give the folder CamVid of the SegNet tutorial")
    frames = []
    for line in path.read_text().splitlines():
        if not line.strip():
            continue
        files = [Path(source, *PurePosixPath(entry).parts[-2:]) for entry in line.split()]
        if len(files) != 2:
            raise ValueError(f"{path} has the line {line!r}: expected an image and its label")
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(f"there is no {file}, which is in {path.name}")
        frames.append((files[0], files[1]))
    return frames


def _convert_frame(name: str, frames: Mapping[str, tuple[Path, Path]], root: Path, size: tuple[int, int]) -> None:
    image_file, label_file = frames[name]
    with Image.open(image_file) as image, Image.open(label_file) as png:
        for file, picture in ((image_file, image), (label_file, png)):
            if picture.size != size:
                raise ValueError(f"{file} is {picture.size} pixels large, expected {size}")
        label = np.array(png)
    if label.ndim != 2 or label.dtype != np.uint8 or label.max() > VOID:
        raise ValueError(f"{label_file} is no label: {label.dtype} {label.shape}, values up to {label.max()}")
    label[label == VOID] = IGNORE_INDEX
    picture = Image.fromarray(label)
    picture.putpalette(PALETTE.tobytes())
    with atomic_write(root / LABELS / f"{name}.png") as path:
        picture.save(path, format="PNG")
    with atomic_write(root / IMAGES / f"{name}.png") as path:
        shutil.copyfile(image_file, path)
