"""One row of the table of bad inputs, and what it may break."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from testing.utils import ROOT

TRAIN, VAL = "ImageSets/Segmentation/train.txt", "ImageSets/Segmentation/val.txt"


@dataclass
class Folder:
    """The directory of a case, to be broken: data in VOC layout, a config, and a checkpoint that fits it.

    Attributes:
        path: the directory, which is the current one.
        checkpoint: of the config, trained for two iterations; shared by all cases, so it must not be changed.
    """

    path: Path
    checkpoint: Path

    @property
    def data(self) -> Path:
        """Root of the data: images train_00000 to train_00005 and val_00000 to val_00002 of 80x64 pixels."""
        return self.path / "data"

    @property
    def config(self) -> Path:
        """The config, on top of the shipped FCN-32s for drawn shapes, with a narrow network."""
        return self.path / "config.py"

    def image(self, name: str) -> Path:
        """An image of the data set."""
        return self.data / f"JPEGImages/{name}.jpg"

    def label(self, name: str) -> Path:
        """A label of the data set."""
        return self.data / f"SegmentationClass/{name}.png"

    def change_labels(self, change: Callable[[np.ndarray], np.ndarray], pattern: str = "*") -> None:
        """Replace the indices of all labels that match a pattern; they are saved without a palette."""
        paths = sorted((self.data / "SegmentationClass").glob(f"{pattern}.png"))
        assert paths
        for path in paths:
            with Image.open(path) as label:
                indices = np.array(label)
            Image.fromarray(change(indices)).save(path)

    def append(self, text: str) -> None:
        """Add lines to the config."""
        with self.config.open("a") as file:
            file.write(f"\n{text}\n")


@dataclass(frozen=True)
class Bad:
    """A row: what is given, and what must be said.

    Attributes:
        name: of the case, as the test shows it.
        says: what the error must contain; of several texts, all of them. ``{folder}`` is the directory.
        options: ``--cfg-options``, in words.
        config: lines that are added to the config.
        prepare: breaks the folder further.
        command: what is run, in words: by default a training. ``{checkpoint}`` is one of the config.
    """

    name: str
    says: str | tuple[str, ...]
    options: str | tuple[str, ...] = ()
    config: str = ""
    prepare: Callable[[Folder], None] | None = None
    command: str = "train config.py --data-root data --work-dir work"
    environment: dict[str, str] = field(default_factory=dict)

    def arguments(self, folder: Folder) -> list[str]:
        """The command line."""
        places = dict(folder=folder.path, checkpoint=folder.checkpoint, root=ROOT)
        words = [word.format(**places) for word in self.command.split()]
        options = self.options.split() if isinstance(self.options, str) else self.options
        return [*words, *(["--cfg-options", *options] if options else [])]

    def texts(self, folder: Folder) -> list[str]:
        """What the error must contain."""
        texts = (self.says,) if isinstance(self.says, str) else self.says
        return [text.replace("{folder}", str(folder.path)) for text in texts]


def files(folder: Path) -> dict[str, str]:
    """All files and directories below a folder, and when they were changed."""
    return {str(path.relative_to(folder)): json.dumps(path.lstat().st_mtime_ns) for path in folder.rglob("*")}
