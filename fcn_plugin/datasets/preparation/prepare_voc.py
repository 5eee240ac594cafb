"""PASCAL VOC 2012 and SBD, from their archives to one tree that the configs read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from ...utils.files import atomic_write, check_writable
from .download import bytes_in, check_archive, download, part_of
from .files import check_arguments, for_each, log, missing_files, raise_problems, remove_partial_files
from .lists import FOLDER, IMAGES, LABELS, list_problems, read_list, tree_problems, write_list
from .release import VOC_RELEASE, Archive, VOCRelease
from .sbd_labels import convert_label
from .unpack import check_python, unpack

SBD_LABELS, AUG_LABELS = "SegmentationClassSBD", "SegmentationClassAug"
#: The folder of the labels of each list.
VOC_LISTS = dict(train=LABELS, val=LABELS, trainval=LABELS)
SBD_LISTS = dict(sbd_train=SBD_LABELS, sbd_val=SBD_LABELS)
DERIVED_LISTS = dict(trainaug=AUG_LABELS, aug=AUG_LABELS, seg11valid=LABELS)
TEST_LISTS = dict(test=None)
#: Lists of images to train and to validate on.
DISJOINT = (("train", "val"), ("sbd_train", "sbd_val"), ("sbd_train", "seg11valid"), ("trainaug", "val"))


def check_voc(root: str | Path, sbd: bool = True, release: VOCRelease = VOC_RELEASE) -> list[str]:
    """What is missing or wrong in ``root/VOC2012``; reads only.

    The test list is checked if it is there.

    Returns:
        list[str]: one sentence each, none if all is well.
    """
    voc = Path(root, "VOC2012")
    test = TEST_LISTS if (voc / FOLDER / "test.txt").is_file() else {}
    return _problems(voc, VOC_LISTS | (SBD_LISTS | DERIVED_LISTS if sbd else {}) | test, release)


def _problems(voc: Path, lists: Mapping[str, str | None], release: VOCRelease) -> list[str]:
    return tree_problems(voc, lists, release.counts, DISJOINT, ".jpg")


def prepare_voc(
    root: str | Path,
    archives: str | Path | None = None,
    *,
    sbd: bool = True,
    voc2011: bool = False,
    workers: int = 1,
    release: VOCRelease = VOC_RELEASE,
    report: Callable[[str], object] = log,
) -> bool:
    """Download, unpack and convert what ``root/VOC2012`` lacks, and check the result.

    In ``VOC2012`` are then VOC's files as published and, with ``sbd``,

    - ``SegmentationClassSBD``: the labels of SBD as PNG, ``sbd_train.txt`` and ``sbd_val.txt`` its lists;
    - ``SegmentationClassAug``: the labels of ``trainaug.txt`` (VOC2012 train and all of SBD, without VOC2012 val),
      VOC's own for VOC2012 train, SBD's elsewhere; ``aug.txt``, the latter, is what the toolbox's own config reads;
    - ``seg11valid.txt``: VOC2011's segmentation val without SBD train, as in the reference. Its labels are VOC2012's,
      as in the reference's ports; whether VOC2011's are the same, pixel by pixel, is not known here.

    A call that was interrupted, even killed, is continued by the next one; a complete tree is left alone. Files that
    exist are never written over. Downloads stay in ``root/downloads``.

    Args:
        root (str | Path): the directory ``VOCdevkit``.
        archives (str | Path, optional): directory that has the archives: nothing is downloaded. If it has
            ``VOC2012test.tar``, the test images are unpacked as well.
        sbd (bool): False for VOC2012 alone.
        voc2011 (bool): take VOC2011's lists from its archive, and check seg11valid against them.
        workers (int): processes that convert labels, >= 1.
        release (VOCRelease): the archives and what they have to contain.
        report (Callable): is told what is done.

    Returns:
        bool: False if there was nothing to do.

    Raises:
        ValueError: if an archive or a list is not what it should be, or an argument is wrong.
        OSError: if an archive is missing or cannot be downloaded, or there is not enough room.
        RuntimeError: if this Python is too old, or another process prepares the same tree.
    """
    return _Preparation(Path(root), archives and Path(archives), sbd, voc2011, workers, release, report).run()


@dataclass
class _Preparation:
    """One call of :func:`prepare_voc`, with its arguments."""

    root: Path
    archives: Path | None
    sbd: bool
    voc2011: bool
    workers: int
    release: VOCRelease
    report: Callable[[str], object]

    def __post_init__(self) -> None:
        check_arguments(self.root, self.workers)
        if (self.root / "ImageSets").exists():
            raise ValueError(
                f"{self.root} is a data set itself: give the directory above, {self.root.absolute().parent}"
            )
        if self.archives is not None and not self.archives.is_dir():
            raise FileNotFoundError(f"there is no directory {self.archives} of archives")
        check_python()
        self.voc = self.root / "VOC2012"
        self.unpacked_sbd = self.root / "SBD.unpacked"  # until its labels are converted
        self.voc2011_val = self.root / "VOC2011" / FOLDER / "val.txt"

    def run(self) -> bool:
        """Do what is left to do; False if that is nothing."""
        needed = self.needed()
        begun = self.sbd and self.unpacked_sbd.exists()
        if not (needed or begun or check_voc(self.root, self.sbd, self.release)):
            return False
        check_writable(self.root)
        paths = self.paths([*needed]) if needed else {}
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.root / ".preparing.lock", timeout=0):
                for archive, path in paths.items():
                    self.get(archive, path)
                for archive, path in paths.items():
                    unpack(path, archive, needed[archive])
                if self.sbd:
                    self.write_sbd()
                raise_problems(check_voc(self.root, self.sbd, self.release))
                for folder in (*self.root.glob("*.unpacking"), *([self.unpacked_sbd] if self.sbd else [])):
                    shutil.rmtree(folder, ignore_errors=True)
                remove_partial_files(self.voc)
        except Timeout as error:
            raise RuntimeError(f"another process is preparing {self.root}: wait for it") from error
        return True

    def needed(self) -> dict[Archive, Path]:
        """The archives that have something that is missing, and where it goes."""
        release, needed = self.release, {}
        sbd_lacks = self.sbd and _problems(self.voc, SBD_LISTS, release)
        if _problems(self.voc, VOC_LISTS, release) or (sbd_lacks and self.lacks_images()):
            needed[release.voc2012] = self.voc
        if sbd_lacks and not self.unpacked_sbd.exists():
            needed[release.sbd] = self.unpacked_sbd
        if self.voc2011 and not self.voc2011_val.is_file():
            needed[release.voc2011] = self.root / "VOC2011"
        test = release.voc2012test
        if self.archives and (self.archives / test.name).is_file() and _problems(self.voc, TEST_LISTS, release):
            needed[test] = self.voc
        return needed

    def lacks_images(self) -> bool:
        """Whether images of SBD are missing: by its lists if they are here, else by their number."""
        images = self.voc / IMAGES
        try:
            names = [name for names in self.sbd_lists().values() for name in names]
        except FileNotFoundError:
            return sum(1 for _ in images.glob("*.jpg")) < self.release.images
        return bool(missing_files(images, names, ".jpg"))

    def paths(self, needed: list[Archive]) -> dict[Archive, Path]:
        """The files of the archives, after a look at what is there and how much room there is."""
        folder = self.archives or self.root / "downloads"
        paths = {archive: folder / archive.name for archive in needed}
        absent = [archive for archive, path in paths.items() if not path.is_file()]
        if self.archives and absent:
            wanted = " and ".join(f"{archive.name} ({archive.url})" for archive in absent)
            raise FileNotFoundError(f"{self.archives} has no {wanted}: put it there, or leave out --archives")
        for archive, path in paths.items():
            if archive not in absent:
                check_archive(path, archive, checksum=False)
        to_come = sum(max(0, (archive.size or 0) - bytes_in(part_of(archive, folder))) for archive in absent)
        space = to_come + sum(archive.unpacked for archive in needed)
        existing = next(path for path in (self.root, *self.root.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free
        needs = f"{self.root} needs about {space / 1e9:.1f} GB of disk, {to_come / 1e9:.1f} GB of them for downloads"
        if free < space:
            raise OSError(f"{needs}, but {free / 1e9:.1f} GB are free: make room, or give another directory")
        self.report(f"{needs}; {free / 1e9:.1f} GB are free.")
        return paths

    def get(self, archive: Archive, path: Path) -> None:
        """Download an archive, or check the user's."""
        if self.archives is None:
            self.report(f"Downloading {archive.name} from {archive.url}")
            download(archive, path.parent, report=self.report)
        else:
            self.report(f"Checking {path}")
            check_archive(path, archive)

    def write_sbd(self) -> None:
        """Derive the lists, check them, and write labels and lists."""
        images = self.voc / IMAGES
        lists = {name: read_list(self.voc / FOLDER / f"{name}.txt") for name in VOC_LISTS} | self.sbd_lists()
        sbd = [*lists["sbd_train"], *lists["sbd_val"]]
        lists["trainaug"] = sorted({*lists["train"], *sbd} - {*lists["val"]})  # as in the toolbox's voc_aug.py
        lists["aug"] = sorted({*lists["trainaug"]} - {*lists["train"]})
        lists["seg11valid"] = list(self.release.seg11valid)
        problems = list_problems(lists, self.release.counts, DISJOINT) + self.seg11valid_problems(lists["sbd_train"])
        if missing := missing_files(images, sbd, ".jpg"):
            problems.append(f"{images} lacks {len(missing)} of SBD's images, for example {missing[0]}.jpg")
        raise_problems(problems)
        out = self.voc / SBD_LABELS
        out.mkdir(exist_ok=True)
        convert = partial(convert_label, mat_folder=self.unpacked_sbd / "cls", image_folder=images, out=out)
        for_each(convert, missing_files(out, sbd, ".png"), self.workers, "Converting SBD's labels")
        self.copy_labels(lists["train"], LABELS)
        self.copy_labels(lists["aug"], SBD_LABELS)
        for name in (*SBD_LISTS, *DERIVED_LISTS):
            write_list(self.voc / FOLDER / f"{name}.txt", lists[name])

    def sbd_lists(self) -> dict[str, list[str]]:
        """SBD's lists, from its archive or from an earlier run."""
        folder, prefix = self.unpacked_sbd, ""
        if not folder.exists():
            folder, prefix = self.voc / FOLDER, "sbd_"
        return {f"sbd_{split}": read_list(folder / f"{prefix}{split}.txt") for split in ("train", "val")}

    def seg11valid_problems(self, sbd_train: list[str]) -> list[str]:
        """Compare the reference's list with its definition, in its data/pascal/README.md, if VOC2011's val is here."""
        if not self.voc2011_val.is_file():
            return []
        val = read_list(self.voc2011_val)
        problems = list_problems(dict(voc2011_val=val), self.release.counts, ())
        if different := {*self.release.seg11valid} ^ ({*val} - {*sbd_train}):
            problems.append(f"VOC2011's val without SBD train and seg11valid differ in {len(different)} images")
        if not problems:
            count = len(self.release.seg11valid)
            self.report(f"seg11valid is VOC2011's val without SBD train: {count} images.")
        return [f"{self.voc2011_val}: {problem}" for problem in problems]

    def copy_labels(self, names: list[str], source: str) -> None:
        """Copy labels to the folder of trainaug, as far as they are not there."""
        out = self.voc / AUG_LABELS
        out.mkdir(exist_ok=True)
        for name in missing_files(out, names, ".png"):
            with atomic_write(out / f"{name}.png") as path:
                shutil.copyfile(self.voc / source / f"{name}.png", path)
