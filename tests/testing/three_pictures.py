"""Three pictures with labels and the predictions of two models, worked out by hand in the tests."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ["sky", 'a <b> & "c"', "tree, bush", "car"]
PALETTE = [[128, 128, 128], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
PICTURES = dict(
    SegmentationClass=dict(
        a=[[0, 0, 1], [1, 255, 2]], b=[[2, 2, 2], [0, 255, 255]], c=[[255, 255, 255], [255, 255, 255]]
    ),
    model=dict(a=[[0, 1, 1], [1, 2, 2]], b=[[2, 0, 2], [0, 3, 1]], c=[[0, 0, 0], [0, 0, 0]]),
    truth=dict(a=[[0, 0, 1], [1, 0, 2]], b=[[2, 2, 2], [0, 0, 0]], c=[[0, 0, 0], [0, 0, 0]]),
)


def write_indices(path: Path, values) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(values, np.uint8)).save(path)


def write_pictures(root: Path) -> Path:
    """Write the data set, with the predictions as directories ``model`` and ``truth`` (which is right everywhere)."""
    for folder, pictures in PICTURES.items():
        for name, values in pictures.items():
            write_indices(root / folder / f"{name}.png", values)
    (root / "JPEGImages").mkdir()
    for name, colour in dict(a=(250, 0, 0), b=(0, 0, 250), c=(0, 250, 0)).items():
        Image.new("RGB", (3, 2), colour).save(root / "JPEGImages" / f"{name}.jpg")
    (root / "val.txt").write_text("a\nb\nc\n")
    return root


def settings_for(root: Path) -> dict:
    """The settings of a config that validates on them."""
    dataset = dict(
        type="BaseSegDataset",
        metainfo=dict(classes=CLASSES, palette=PALETTE),
        data_root=str(root),
        ann_file="val.txt",
        data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
        pipeline=[dict(type="LoadImageFromFile"), dict(type="LoadLabels"), dict(type="PackSegInputs")],
    )
    return dict(default_scope="mmseg", val_dataloader=dict(dataset=dataset))
