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

from ...utils.files import atomic_write, check_writable
from ..camvid import CamVidDataset
from .files import check_arguments, for_each, log, missing_files, raise_problems, remove_partial_files, write_label
from .lists import FOLDER, IMAGES, LABELS, list_problems, tree_problems, write_list

NUM_CLASSES = len(CamVidDataset.METAINFO["classes"])
VALUES = np.array([*range(NUM_CLASSES), 255], np.uint8)  #: the release's last label is void
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
    check_arguments(root, workers)
    if not check_camvid(root, release):
        return False
    check_writable(root)
    pairs = {split: _read_frames(source, split) for split in release.counts}
    lists = {split: [image.stem for image, _ in files] for split, files in pairs.items()}
    raise_problems(list_problems(lists, release.counts, combinations(lists, 2)), f"{source}: ")
    frames = {image.stem: (image, label) for files in pairs.values() for image, label in files}
    for folder in (IMAGES, LABELS):
        (root / folder).mkdir(parents=True, exist_ok=True)
    lacking = {name for folder in (IMAGES, LABELS) for name in missing_files(root / folder, [*frames], ".png")}
    report(f"{len(lacking)} of {len(frames)} frames to write to {root}")
    convert = partial(_convert_frame, frames=frames, root=root, size=release.size)
    for_each(convert, [name for name in frames if name in lacking], workers, "Converting CamVid")
    for split, names in lists.items():
        write_list(root / FOLDER / f"{split}.txt", names)
    remove_partial_files(root)
    raise_problems(check_camvid(root, release))
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
    for line in filter(str.strip, path.read_text().splitlines()):
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
    with Image.open(image_file) as image, Image.open(label_file) as label:
        if image.size != size:
            raise ValueError(f"{image_file} is {image.size} pixels large, expected {size}")
        write_label(root / LABELS / f"{name}.png", np.array(label), label_file, size, VALUES, PALETTE)
    with atomic_write(root / IMAGES / f"{name}.png") as path:
        shutil.copyfile(image_file, path)
