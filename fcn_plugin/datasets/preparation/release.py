"""What PASCAL VOC and SBD consist of: archives, their checksums, and how many images each list has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .seg11valid import SEG11VALID


@dataclass(frozen=True)
class Archive:
    """A published tar file and what is wanted of it.

    Attributes:
        name (str): file name.
        folder (str): the folder inside the archive whose contents are wanted.
        md5 (str, optional): checksum, None if it is not known.
        url (str, optional): where to download it, None if it is not public.
        size (int, optional): bytes, None if it is not known.
        unpacked (int): bytes that its unpacked files need, about.
        members (tuple[str, ...]): patterns of the wanted files, relative to ``folder``.
    """

    name: str
    folder: str
    md5: str | None = None
    url: str | None = None
    size: int | None = None
    unpacked: int = 0
    members: tuple[str, ...] = ("*",)


@dataclass(frozen=True)
class VOCRelease:
    """The archives and lists that a prepared tree is made of, and what it is checked against.

    Attributes:
        voc2012 (Archive): images, labels and lists of VOC2012 train and val.
        sbd (Archive): labels and lists of SBD.
        voc2011 (Archive): only its lists are used.
        voc2012test (Archive): the images of VOC2012 test, given out after a login.
        images (int): number of images in ``voc2012``.
        counts (Mapping[str, int]): number of names of each list in ``ImageSets/Segmentation``, and of VOC2011's val
            (``voc2011_val``).
        seg11valid (tuple[str, ...]): the names of seg11valid.
    """

    voc2012: Archive
    sbd: Archive
    voc2011: Archive
    voc2012test: Archive
    images: int
    counts: Mapping[str, int] = field(default_factory=dict)
    seg11valid: tuple[str, ...] = ()

    def with_urls(self, urls: Mapping[str, str]) -> VOCRelease:
        """The same release, downloaded from elsewhere.

        Args:
            urls (Mapping[str, str]): address by ``voc2012``, ``sbd`` or ``voc2011``.

        Raises:
            ValueError: for another name, or an address that is not HTTP.
        """
        names = ("voc2012", "sbd", "voc2011")
        for name, url in urls.items():
            if name not in names:
                raise ValueError(f"there is no archive {name!r} to download: expected one of {', '.join(names)}")
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"expected an http:// or https:// address for {name}, got {url!r}")
        return replace(self, **{name: replace(getattr(self, name), url=url) for name, url in urls.items()})


#: Addresses and checksums as in torchvision's datasets/voc.py and datasets/sbd.py.
VOC_RELEASE = VOCRelease(
    voc2012=Archive(
        name="VOCtrainval_11-May-2012.tar",
        folder="VOCdevkit/VOC2012",
        md5="6cd6e144f989b92b3379bac3b3de84fd",
        url="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
        size=1_999_639_040,
        unpacked=2_000_000_000,
    ),
    sbd=Archive(
        name="benchmark.tgz",
        folder="benchmark_RELEASE/dataset",
        md5="82b4d87ceb2ed10f6038a1cba92111cb",
        url="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
        size=1_419_539_633,
        unpacked=500_000_000,  # the labels twice, as published and converted
        members=("cls/*.mat", "train.txt", "val.txt"),
    ),
    voc2011=Archive(
        name="VOCtrainval_25-May-2011.tar",
        folder="TrainVal/VOCdevkit/VOC2011",
        md5="6c3384ef61512963050cb5d687e5bf1e",
        url="http://host.robots.ox.ac.uk/pascal/VOC/voc2011/VOCtrainval_25-May-2011.tar",
        members=("ImageSets/Segmentation/*.txt",),
    ),
    voc2012test=Archive(name="VOC2012test.tar", folder="VOCdevkit/VOC2012", unpacked=1_900_000_000),
    images=17_125,
    counts=dict(
        train=1_464,
        val=1_449,
        trainval=2_913,
        test=1_456,
        sbd_train=8_498,
        sbd_val=2_857,
        trainaug=10_582,
        aug=9_118,
        seg11valid=736,
        voc2011_val=1_111,
    ),
    seg11valid=SEG11VALID,
)
