"""Small annotated pictures in a folder, as what reads annotations returns them."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from fcn_plugin.apis.new_dataset import new_dataset as module
from fcn_plugin.datasets.annotations.annotated import AnnotatedPicture, AnnotatedSet

CLASSES, PALETTE = ("background", "road", "car"), ((0, 0, 0), (128, 64, 128), (0, 0, 142))


class Pictures:
    """Pictures and labels of 6x8 pixels that are read in place of those in folders.

    Attributes:
        images: the folder of pictures.
        masks: a folder with a file for each.
        labels: by name.
    """

    def __init__(self, root: Path) -> None:
        self.images, self.masks = root / "images", root / "masks"
        self.images.mkdir(), self.masks.mkdir()
        self.labels: dict[str, np.ndarray] = {}
        self.files: dict[str, Path] = {}
        self.remarks: tuple[str, ...] = ()

    def add(self, name: str, found: Sequence[int] = (0, 1), suffix: str = ".png", image=None, labels=None, **options):
        """Add a picture, by default a random one in colour, in whose labels some indices occur."""
        if image is None:
            image = np.random.default_rng(len(self.files)).integers(0, 256, (6, 8, 3), np.uint8)
        file = self.images / (name + suffix)
        file.parent.mkdir(parents=True, exist_ok=True)
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, **options)
        mask = self.masks / f"{len(self.files)}.txt"
        self.labels[name] = np.resize(np.array(found, np.uint8), (6, 8)) if labels is None else labels
        mask.write_text(str(self.labels[name].tolist()))
        self.files[name] = file
        return file

    def read(self, *_, **__) -> AnnotatedSet:
        """The annotated set."""
        pictures = tuple(
            AnnotatedPicture(name, file, lambda name=name: self.labels[name], (self.masks / f"{index}.txt",))
            for index, (name, file) in enumerate(self.files.items())
        )
        ordered = tuple(sorted(pictures, key=lambda one: one.name))
        return AnnotatedSet(ordered, CLASSES, PALETTE, "masks made by a test", self.remarks)

    def use(self, monkeypatch) -> None:
        """Let the package read this set, and write a config of a line."""
        monkeypatch.setattr(module, "read_annotations", self.read)
        use_a_short_config(monkeypatch)


def use_a_short_config(monkeypatch) -> None:
    """Let the package write a config of the data alone."""
    monkeypatch.setattr(module.Wishes, "check", lambda _: None)
    monkeypatch.setattr(module, "choose", lambda facts, wishes: SimpleNamespace(reasons=[("crop", "[6]", "small")]))
    monkeypatch.setattr(module, "config_files", lambda facts, choices: {"config.py": CONFIG % facts.image_suffix})


CONFIG = f"""root = '{{{{ fileDirname }}}}'
loader = dict(dataset=dict(
    type='BaseSegDataset', data_root=root, img_suffix=%r, metainfo=dict(classes={CLASSES!r}, palette={PALETTE!r}),
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadLabels')]))
train_dataloader = dict(loader, dataset=dict(loader['dataset'], ann_file='ImageSets/Segmentation/train.txt'))
val_dataloader = dict(loader, dataset=dict(loader['dataset'], ann_file='ImageSets/Segmentation/val.txt'))
model = dict(decode_head=dict())
del loader
"""
