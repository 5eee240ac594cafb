"""Annotations in whichever form they come."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from ...utils.text import summarize
from .annotated import AnnotatedSet
from .assembling import Annotations, assemble
from .coco import is_coco, read_coco
from .cvat_masks import find_cvat_masks, read_cvat_masks
from .cvat_xml import is_cvat, read_cvat_xml
from .label_studio import is_label_studio, read_label_studio
from .label_studio_pngs import find_label_studio_pngs, read_label_studio_pngs
from .labelme import is_labelme, read_labelme
from .pairing_files import PICTURES
from .read_masks import read_masks
from .roboflow import find_roboflow, read_roboflow
from .selection import Selection
from .source import Source

TRIED = 20  #: files of a folder to look into, of which none has a known form
KNOWN = (
    "a folder of masks, COCO JSON, labelme JSON, CVAT ('Segmentation mask 1.1' or 'CVAT for images 1.1'), Roboflow's"
    " semantic masks or Label Studio's JSON or brush PNGs"
)


def read_annotations(
    images: str | os.PathLike,
    masks: str | os.PathLike,
    *,
    pair: str | None = None,
    classes: Sequence[str] | None = None,
    ignore: Sequence = (),
) -> AnnotatedSet:
    """Read annotations of pictures; what they are is told by their content.

    Args:
        images (str | os.PathLike): folder of the pictures.
        masks (str | os.PathLike): a file of COCO, labelme, CVAT or Label Studio, a zip of an export, or a folder: of an
            export, of such files, or of masks.
        pair (str, optional): how masks are called, for :func:`read_masks`; other forms name their pictures.
        classes (Sequence[str], optional): which classes, in which order; for masks without names of classes, theirs.
            Objects of other classes are background.
        ignore (Sequence): classes whose pixels are ignored (255); for masks also values and colours.

    Raises:
        FileNotFoundError: if something is not there.
        ValueError: for what is of no known form, or wrong in it.
    """
    images, masks = Path(images), Path(masks)
    if not masks.exists():
        raise FileNotFoundError(f"there are no annotations {masks}: give {KNOWN}")
    annotations = _read(Source(masks), images)
    if annotations is None:
        return read_masks(images, masks, pair=pair, classes=classes, ignore=ignore)
    if pair is not None:
        raise ValueError(f"pair is for masks; {annotations.form} name their pictures, got {pair!r}")
    return assemble(images, annotations, Selection.of(classes, ignore))


def _read(source: Source, images: Path) -> Annotations | None:
    """What files of a known form say; None for masks."""
    if folders := find_cvat_masks(source):
        return read_cvat_masks(source, folders)
    if tables := find_roboflow(source):
        return read_roboflow(source, tables)
    single = source.path.is_file() and not source.zipped
    problems: list[ValueError] = []
    for find in (_read_json, _read_xml):
        if annotations := find(source, single, problems):
            return annotations
    if masks := find_label_studio_pngs(source):
        return read_label_studio_pngs(source, masks, images)
    pictures = [name for name in source.names if PurePosixPath(name).suffix.lower() in PICTURES]
    if pictures and source.path.is_dir() and not (problems and source.path.resolve() == images.resolve()):
        return None
    if problems:
        raise problems[0]
    if single:
        raise ValueError(f"{source.path} is of no known form, expected {KNOWN}")
    if pictures:
        raise ValueError(f"{source.path} has only pictures: unpack it, and give the folder of the masks")
    raise ValueError(f"{source.path} has {summarize(source.names)}, expected {KNOWN}")


def _read_json(source: Source, single: bool, problems: list[ValueError]) -> Annotations | None:
    if single and source.start(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        return None
    names = [name for name in source.names if single or name.lower().endswith(".json")]
    for name in islice(names, TRIED):
        try:
            content = source.read_json(name)
        except ValueError as error:
            problems.append(error)
            continue
        if is_labelme(content):
            return read_labelme(source, names)
        for is_form, read in (is_coco, read_coco), (is_label_studio, read_label_studio):
            if is_form(content):
                others = {other: source.read_json(other) for other in names if other != name}
                same = {other: content for other, content in others.items() if is_form(content)}
                return read(source, dict(sorted({name: content, **same}.items())))
        if single:
            keys = summarize(list(content)) if isinstance(content, dict) else f"a {type(content).__name__}"
            problems.append(ValueError(f"{source.path} is JSON of no known form, it has {keys}; expected {KNOWN}"))
    return None


def _read_xml(source: Source, single: bool, problems: list[ValueError]) -> Annotations | None:
    if single and not source.start(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return None
    names = [name for name in source.names if single or name.lower().endswith(".xml")]
    for name in islice(names, TRIED):
        try:
            root = source.read_xml(name)
        except ValueError as error:
            problems.append(error)
            continue
        if is_cvat(root):
            return read_cvat_xml(source, name, root)
        if single:
            problems.append(ValueError(f"{source.path} is XML of no known form, <{root.tag}>; expected {KNOWN}"))
    return None
