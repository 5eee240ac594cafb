"""Pictures of other bands or values than the model takes, and settings of bands that do not fit each other."""

import struct
from collections.abc import Callable

import numpy as np
from testing.bands import picture, write_tiff

from .case import Bad, Folder
from .images import UNREADABLE, cut, pipeline

BANDS = "dict(type='LoadBands')"
FOUR_MEANS = (
    "model.data_preprocessor.type=BandsDataPreProcessor",
    "model.data_preprocessor.mean=[1,2,3,4]",
    "model.data_preprocessor.std=[1,1,1,1]",
)
COMPRESSION = struct.pack("<HHI", 259, 3, 1)  #: tag of a TIFF, with one short number


def of_bands(
    name: str, bands: int, kind: str = "uint16", change: Callable[[bytes], bytes] = bytes
) -> Callable[[Folder], None]:
    """Put a TIFF of bands in place of an image, and change its bytes."""

    def prepare(folder: Folder) -> None:
        path = folder.image(name)
        write_tiff(path, picture(0, bands, (64, 80)).astype(kind))
        path.write_bytes(change(path.read_bytes()))

    return prepare


def with_hole(folder: Folder) -> None:
    image = picture(0, 3, (64, 80)).astype(np.float32)
    image[2, 3, 1] = np.nan
    write_tiff(folder.image("train_00001"), image)


def unknown_compression(content: bytes) -> bytes:
    assert content.count(COMPRESSION) == 1
    at = content.index(COMPRESSION) + len(COMPRESSION)
    return content[:at] + struct.pack("<H", 50999) + content[at + 2 :]


def with_colours(step: str) -> str:
    return f"{pipeline(BANDS)}\ntrain_dataloader['dataset']['pipeline'].insert(2, dict(type='{step}'))"


TABLE = [
    Bad(
        "four-bands-for-three",
        ("bands than the model takes: 1\n", "train_00000.jpg: 4, but model.backbone.in_channels is 3, the length of"),
        prepare=of_bands("train_00000", 4),
        config=pipeline(BANDS),
    ),
    Bad(
        "three-bands-for-four",
        ("train_00000.jpg: 3, but model.backbone.in_channels is 4, the length of model.data_preprocessor.mean is 4"),
        ("model.backbone.in_channels=4", *FOUR_MEANS),
        config=pipeline(BANDS),
    ),
    Bad(
        "four-means-for-a-network-of-three",
        "train_00000.jpg: 3, but the length of model.data_preprocessor.mean is 4",
        FOUR_MEANS,
    ),
    Bad(
        "one-mean-for-three-bands",
        "train_00000.jpg: 3, but the length of model.data_preprocessor.mean is 1",
        (FOUR_MEANS[0], "model.data_preprocessor.mean=[1]", "model.data_preprocessor.std=[1]"),
    ),
    Bad(
        "more-means-than-deviations",
        "mean and std must have one value for each band, got 4 and 3 values",
        (*FOUR_MEANS[:2], "model.data_preprocessor.std=[1,1,1]"),
    ),
    Bad(
        "truncated-tiff-of-bands",
        (UNREADABLE, "train_00003.jpg: truncated, or a TIFF that cannot be read"),
        prepare=of_bands("train_00003", 6, change=cut),
        config=pipeline(BANDS),
    ),
    Bad(
        "tiff-of-an-unknown-compression",
        (UNREADABLE, "val_00001.jpg: truncated, or a TIFF that cannot be read (", "50999"),
        prepare=of_bands("val_00001", 4, change=unknown_compression),
        config=pipeline(BANDS),
    ),
    Bad(
        "no-numbers",
        (UNREADABLE, "train_00001.jpg: 1 of its values are infinite or no numbers (NaN)"),
        prepare=with_hole,
        config=pipeline(BANDS),
    ),
    Bad(
        "colours-of-16-bits",
        (
            "PhotoMetricDistortion of train_dataloader.dataset takes colours from 0 to 255",
            "train_00000.jpg has 3 bands with values up to ",
            ": leave it out",
        ),
        prepare=of_bands("train_00000", 3),
        config=with_colours("PhotoMetricDistortion"),
    ),
    Bad(
        "bands-to-show-that-are-not-there",
        "train_00000.jpg: it has 3 bands, counted from 0, of which rgb=[3, 2, 1] are shown",
        config=pipeline("dict(type='LoadBands', rgb=[3, 2, 1])"),
    ),
    Bad(
        "weights-for-no-band",
        "the number of bands must be 1 or more, got 0",
        command="import {checkpoint} out.pth --in-channels 0",
    ),
    Bad(
        "weights-of-other-bands",
        ("the checkpoint does not fit the config (of another shape: backbone.conv1_1.weight", "--in-channels 4"),
        (
            "model.backbone.in_channels=4",
            *FOUR_MEANS,
        ),
        command="test config.py {checkpoint} --data-root data",
    ),
]
