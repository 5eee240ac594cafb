"""What a data set was made from, so that the same command knows its own work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...datasets.annotations.annotated import AnnotatedSet
from ...datasets.preparation.lists import FOLDER, IMAGES, LABELS, read_list
from ...utils.files import check_writable, file_digest
from ...utils.progress import in_threads
from ...utils.text import summarize

NAME = "made_from.json"
LISTS = ("train", "val", "test")


def content_of(annotated: AnnotatedSet, link: bool) -> str:
    """A short text that is the same for the same pictures and annotations, and for links also in the same place."""
    files = sorted({path for one in annotated.pictures for path in (one.image, *one.annotations)})
    digests = dict(zip(files, in_threads(file_digest, files, "Reading the files")))
    lines = [
        json.dumps(
            [one.name, str(one.image.absolute()) if link else "", *map(digests.get, (one.image, *one.annotations))]
        )
        for one in annotated.pictures
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def check_place(out: Path, images: Path, masks: Path, options: Mapping[str, Any]) -> str | None:
    """Check that a data set can be written to a directory.

    Args:
        out (Path): the directory.
        images (Path): where pictures are read from.
        masks (Path): where annotations are read from.
        options (Mapping[str, Any]): with which the data set is to be made.

    Returns:
        str | None: the content of a data set that was made there with the same options.

    Raises:
        FileExistsError: if there is something else.
        ValueError: if the data set would be read as its own pictures.
        CannotWriteError: if nothing can be written there.
    """
    for source in (images, masks):
        place, read = out.resolve(), source.resolve()
        if place.is_relative_to(read) or read.is_relative_to(place):
            raise ValueError(f"--out {out} and {source} are inside each other: give a directory elsewhere")
    if out.resolve() == Path.cwd():
        raise ValueError("--out is the current directory: give one that is to be made")
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file: give a directory that does not exist yet")
    check_writable(out.parent)
    if not out.exists() or not any(out.iterdir()):
        return None
    try:
        record = json.loads((out / NAME).read_text())
        content, before = record["content"], record["options"]
    except (OSError, ValueError, KeyError, TypeError):
        raise FileExistsError(f"{out} exists with other contents: remove it, or give another directory") from None
    changed = [
        f"{key} {before.get(key)!r}, now {value!r}" for key, value in options.items() if before.get(key) != value
    ]
    if changed:
        what = summarize(changed)
        raise FileExistsError(f"{out} was made with other options ({what}): remove it, or give another directory")
    return content


def check_same(out: Path, before: str, now: str) -> None:
    """Check that a data set with the same options is the one to be made, and whole.

    Raises:
        FileExistsError: if it is not.
    """
    if before != now:
        raise FileExistsError(
            f"{out} was made from other pictures or annotations: remove it, or give another directory"
        )
    there = {folder: {_stem(path, out / folder) for path in (out / folder).rglob("*.*")} for folder in (IMAGES, LABELS)}
    lists = [out / FOLDER / f"{name}.txt" for name in LISTS]
    names = [name for path in lists if path.is_file() for name in read_list(path)]
    missing = [f"{folder}/{name}" for folder in there for name in names if name not in there[folder]]
    if missing or not names or not (out / "config.py").is_file():
        what = summarize(missing) if missing else "lists or config.py"
        raise FileExistsError(f"{out} was made before, but lacks {what}: remove it, and run the same command again")


def _stem(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def write_record(root: Path, content: str, options: Mapping[str, Any]) -> None:
    """Note in a data set what it was made from."""
    (root / NAME).write_text(json.dumps(dict(content=content, options=options), indent=1) + "\n")
