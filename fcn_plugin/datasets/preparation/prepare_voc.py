"""PASCAL VOC 2012 and SBD, from their archives to one tree that the configs read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ...utils.files import atomic_write
from .check_voc import (
    AUG_LABELS,
    DERIVED_LISTS,
    DISJOINT,
    SBD_LABELS,
    SBD_LISTS,
    TEST_LISTS,
    VOC_LABELS,
    VOC_LISTS,
    check_voc,
    problems_of,
)
from .download import check_archive, check_size, download
from .files import log, missing_files, remove_partial_files
from .lists import FOLDER, list_problems, read_list, seg11valid, trainaug, write_list
from .release import VOC_RELEASE, Archive, VOCRelease
from .sbd_labels import convert_labels
from .unpack import check_python, unpack


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
        voc2011 (bool): take VOC2011's lists from its archive, and derive seg11valid from them as a proof.
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


@contextmanager
def _damaged() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{error}: it is damaged or another file, get it anew") from error


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
        if self.root.exists() and not self.root.is_dir():
            raise ValueError(f"{self.root} is a file: give a directory, such as data/VOCdevkit")
        if (self.root / "ImageSets").exists():
            raise ValueError(
                f"{self.root} is a data set itself: give the directory above, {self.root.absolute().parent}"
            )
        if self.archives is not None and not self.archives.is_dir():
            raise FileNotFoundError(f"there is no directory {self.archives} of archives")
        if self.workers < 1:
            raise ValueError(f"expected 1 worker or more, got {self.workers}")
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
        paths = self.paths(needed) if needed else {}
        with self.lock():
            for archive in needed:
                if self.archives is None:
                    self.report(f"Downloading {archive.name} from {archive.url}")
                    download(archive, self.root / "downloads", report=self.report)
                else:
                    self.report(f"Checking {paths[archive]}")
                    with _damaged():
                        check_archive(paths[archive], archive)
            for archive, target in needed.items():
                unpack(paths[archive], archive, target)
            if self.sbd:
                self.write_sbd()
            problems = check_voc(self.root, self.sbd, self.release)
            if problems:
                raise ValueError("; ".join(problems))
            self.clean()
        return True

    def needed(self) -> dict[Archive, Path]:
        """The archives that have something that is missing, and where it goes."""
        release, needed = self.release, {}
        sbd_lacks = self.sbd and problems_of(self.voc, SBD_LISTS, release)
        if problems_of(self.voc, VOC_LISTS, release) or (sbd_lacks and self.lacks_images()):
            needed[release.voc2012] = self.voc
        if sbd_lacks and not self.unpacked_sbd.exists():
            needed[release.sbd] = self.unpacked_sbd
        if self.voc2011 and not self.voc2011_val.is_file():
            needed[release.voc2011] = self.root / "VOC2011"
        test = release.voc2012test
        if self.archives and (self.archives / test.name).is_file() and problems_of(self.voc, TEST_LISTS, release):
            needed[test] = self.voc
        return needed

    def lacks_images(self) -> bool:
        """Whether images of SBD are missing: by its lists if they are here, else by their number."""
        images = self.voc / "JPEGImages"
        try:
            names = [name for names in self.sbd_lists().values() for name in names]
        except FileNotFoundError:
            return sum(1 for _ in images.glob("*.jpg")) < self.release.images
        return bool(missing_files(images, names, ".jpg"))

    def paths(self, needed: dict[Archive, Path]) -> dict[Archive, Path]:
        """The files of the archives, after a look at what is there and how much room there is."""
        folder = self.archives or self.root / "downloads"
        paths = {archive: folder / archive.name for archive in needed}
        there = [archive for archive, path in paths.items() if path.is_file()]
        absent = [archive for archive in needed if archive not in there]
        if self.archives and absent:
            wanted = " and ".join(f"{archive.name} ({archive.url})" for archive in absent)
            raise FileNotFoundError(f"{self.archives} has no {wanted}: put it there, or leave out --archives")
        for archive in there:
            with _damaged():
                check_size(paths[archive], archive)
        to_come = 0
        for archive in absent:
            part = paths[archive].with_name(f"{archive.name}.part")
            to_come += max(0, (archive.size or 0) - (part.stat().st_size if part.is_file() else 0))
        space = to_come + sum(archive.unpacked for archive in needed)
        existing = next(path for path in (self.root, *self.root.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free
        needs = f"{self.root} needs about {space / 1e9:.1f} GB of disk, {to_come / 1e9:.1f} GB of them for downloads"
        if free < space:
            raise OSError(f"{needs}, but {free / 1e9:.1f} GB are free: make room, or give another directory")
        self.report(f"{needs}; {free / 1e9:.1f} GB are free.")
        return paths

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from preparing the same tree."""
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.root / ".preparing.lock", timeout=0):
                yield
        except Timeout as error:
            raise RuntimeError(f"another process is preparing {self.root}: wait for it") from error

    def write_sbd(self) -> None:
        """Derive the lists, check them, and write labels and lists."""
        images = self.voc / "JPEGImages"
        lists = {name: read_list(self.voc / FOLDER / f"{name}.txt") for name in VOC_LISTS}
        lists |= self.sbd_lists()
        sbd = [*lists["sbd_train"], *lists["sbd_val"]]
        lists["trainaug"] = trainaug(lists["train"], sbd, lists["val"])
        lists["aug"] = [name for name in lists["trainaug"] if name not in {*lists["train"]}]
        lists["seg11valid"] = self.seg11valid(lists["sbd_train"])
        problems = list_problems(lists, self.release.counts, DISJOINT)
        if missing := missing_files(images, sbd, ".jpg"):
            problems.append(f"{images} lacks {len(missing)} of SBD's images, for example {missing[0]}.jpg")
        if problems:
            raise ValueError("; ".join(problems))
        convert_labels(sbd, self.unpacked_sbd / "cls", images, self.voc / SBD_LABELS, self.workers)
        self.copy_labels(lists["train"], VOC_LABELS)
        self.copy_labels(lists["aug"], SBD_LABELS)
        for name in (*SBD_LISTS, *DERIVED_LISTS):
            write_list(self.voc / FOLDER / f"{name}.txt", lists[name])

    def sbd_lists(self) -> dict[str, list[str]]:
        """SBD's lists, from its archive or from an earlier run."""
        folder, prefix = self.unpacked_sbd, ""
        if not folder.exists():
            folder, prefix = self.voc / FOLDER, "sbd_"
        return {f"sbd_{split}": read_list(folder / f"{prefix}{split}.txt") for split in ("train", "val")}

    def seg11valid(self, sbd_train: list[str]) -> list[str]:
        """The reference's list, compared with its definition where VOC2011's val is at hand."""
        names = list(self.release.seg11valid)
        if self.voc2011_val.is_file():
            lists = dict(voc2011_val=read_list(self.voc2011_val))
            derived = seg11valid(lists["voc2011_val"], sbd_train)
            problems = list_problems(lists, self.release.counts, ())
            if different := {*names} ^ {*derived}:
                problems.append(f"VOC2011's val without SBD train and seg11valid differ in {len(different)} images")
            if problems:
                raise ValueError(f"{self.voc2011_val}: {'; '.join(problems)}")
            self.report(f"seg11valid is VOC2011's val without SBD train: {len(names)} images.")
        return names

    def copy_labels(self, names: list[str], source: str) -> None:
        """Copy labels to the folder of trainaug, as far as they are not there."""
        out = self.voc / AUG_LABELS
        out.mkdir(exist_ok=True)
        for name in missing_files(out, names, ".png"):
            with atomic_write(out / f"{name}.png") as path:
                shutil.copyfile(self.voc / source / f"{name}.png", path)

    def clean(self) -> None:
        """Remove what is needed only on the way, and what killed processes left."""
        if self.sbd:
            shutil.rmtree(self.unpacked_sbd, ignore_errors=True)
        for folder in self.root.glob("*.unpacking"):
            shutil.rmtree(folder)
        remove_partial_files(*(self.voc / folder for folder in (SBD_LABELS, AUG_LABELS, FOLDER)))
