"""What a prepared tree of PASCAL VOC and SBD has to have."""

from __future__ import annotations

from pathlib import Path

from .lists import FOLDER, tree_problems
from .release import VOC_RELEASE, VOCRelease

VOC_LABELS, SBD_LABELS, AUG_LABELS = "SegmentationClass", "SegmentationClassSBD", "SegmentationClassAug"
#: The folder of the labels of each list.
VOC_LISTS = dict(train=VOC_LABELS, val=VOC_LABELS, trainval=VOC_LABELS)
SBD_LISTS = dict(sbd_train=SBD_LABELS, sbd_val=SBD_LABELS)
DERIVED_LISTS = dict(trainaug=AUG_LABELS, aug=AUG_LABELS, seg11valid=VOC_LABELS)
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
    names = dict(VOC_LISTS)
    if sbd:
        names |= SBD_LISTS | DERIVED_LISTS
    if (voc / FOLDER / "test.txt").is_file():
        names |= TEST_LISTS
    return problems_of(voc, names, release)


def problems_of(voc: Path, names: dict[str, str | None], release: VOCRelease) -> list[str]:
    """What is missing or wrong in some lists of ``VOC2012``, their images and labels."""
    return tree_problems(voc, names, release.counts, DISJOINT, ".jpg")
