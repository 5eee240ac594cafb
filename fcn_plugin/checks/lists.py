"""Lists of names: how they are written, and whether their names are those of files."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from mmseg.datasets import BaseSegDataset

from ..utils.images import is_remote
from ..utils.text import summarize
from .report import Report

#: Byte order marks, longest first, and the encodings that begin with them.
MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\xef\xbb\xbf": "UTF-8 with a byte order mark (BOM)",
}
PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".ppm", ".jp2")


def check_text(dataset: BaseSegDataset) -> None:
    """Check that a list is a text as the toolbox reads it: a local file in UTF-8 without a mark, a name in each line.

    Args:
        dataset (BaseSegDataset): whose list is not read yet.

    Raises:
        ValueError: naming the list, what it is, and how to bring it right.
    """
    path, images = dataset.ann_file, dataset.data_prefix.get("img_path") or ""
    if is_remote(path):
        raise ValueError(f"the list {path} is on no local disk, from which the toolbox reads it: give ann_file a copy")
    if not path and images.startswith(("http://", "https://")):
        raise ValueError(f"the files of {images} cannot be listed: give ann_file a list, with its absolute path")
    if path and os.path.isdir(path):
        raise ValueError(f"the list {path} is a directory: give ann_file a file of names, or '' for all images")
    if not os.path.isfile(path):
        return
    content = Path(path).read_bytes()
    found = next((name for mark, name in MARKS.items() if content.startswith(mark)), None)
    if found is None and b"\0" in content:
        found = "UTF-16 or no text at all (it has bytes of 0)"
    if found is None:
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            found = f"no UTF-8 (byte 0x{content[error.start]:02x} in line {line}), perhaps Latin-1"
    if found:
        raise ValueError(f"the list {path} is {found}: save it as plain UTF-8, without a byte order mark")
    if re.search(r"\r(?!\n)", text):
        raise ValueError(f"the list {path} ends its lines with CR alone: end them with LF")
    lines = text.removesuffix("\n").split("\n")
    empty = [number for number, line in enumerate(lines, 1) if not line.strip()]
    if empty and text:
        numbers = summarize([str(number) for number in empty])
        raise ValueError(f"the list {path} has empty lines, which are names of no file: delete line {numbers}")


def check_names(dataset: BaseSegDataset, where: str, report: Report) -> None:
    """Check that the names of a list are those of files, as far as it can be told what is wrong with them.

    Names of which nothing is on disk, under any spelling, are left to the check of all images and labels.

    Args:
        dataset (BaseSegDataset): with its list.
        where (str): name of its settings.
        report (Report): takes a warning of pictures of another suffix, where all images of a directory are taken.

    Raises:
        ValueError: naming the list, the names, what is there instead, and what to set.
    """
    prefix = dataset.data_prefix
    if not dataset.ann_file and os.path.isdir(prefix["img_path"]):
        names = sorted(name for _, _, files in os.walk(prefix["img_path"]) for name in files)
        if other := [one for one in names if one.lower().endswith(PICTURES) and not one.endswith(dataset.img_suffix)]:
            report.warn(
                f"pictures of {prefix['img_path']} that do not end in img_suffix={dataset.img_suffix!r}, and are left"
                f" out of {where}: {len(other)} ({summarize(other)})"
            )
    wrong: dict[str, list[str]] = {}
    for key, setting in (("img_path", "img_suffix"), ("seg_map_path", "seg_map_suffix")):
        folder, suffix = prefix.get(key) or "", getattr(dataset, setting)
        if is_remote(folder):
            continue
        listing = _Listing()
        for sample in dataset.data_list:
            path = sample.get(key)
            if path is None or os.path.exists(path):
                continue
            for reason, example in _explanations(path, folder, suffix, setting, listing):
                wrong.setdefault(reason, []).append(example)
                break
    if wrong:
        reasons = [f"{reason}: {len(found)} ({summarize(found, 3)})" for reason, found in wrong.items()]
        raise ValueError(f"the list {dataset.ann_file or folder} of {where} does not name files: " + "; ".join(reasons))


class _Listing:
    """The names in directories, each read once."""

    def __init__(self) -> None:
        self.names: Callable[[str], list[str]] = cache(self._read)
        self.folded: Callable[[str], dict[str, str]] = cache(lambda folder: {fold(n): n for n in self.names(folder)})

    @staticmethod
    def _read(folder: str) -> list[str]:
        try:
            return sorted(os.listdir(folder or "."))
        except OSError:
            return []


def nearest(path: Path) -> str:
    """What is on disk in place of a path, for a message: `` (there is PATH)``, or nothing."""
    while not path.parent.exists():
        path = path.parent
    names = _Listing._read(str(path.parent))
    found = [name for name in names if fold(name) == fold(path.name)]
    found = found or difflib.get_close_matches(path.name, names, 1, 0.8)
    return f" (there is {_shown(str(path.parent / found[0]))})" if found else ""


def _shown(name: str) -> str:
    """A name as it is, or, with signs that may look like others, in escapes."""
    return name if name.isascii() else ascii(name)


def fold(name: str) -> str:
    """A name without what file systems and editors change: case, and the Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _explanations(path: str, folder: str, suffix: str, setting: str, listing: _Listing) -> Iterator[tuple[str, str]]:
    """Why there is no file of a path, and an example that shows it; the first that holds counts."""
    name = os.path.relpath(path, folder or ".") if folder or not os.path.isabs(path) else path
    name = name[: len(name) - len(suffix)] if suffix and name.endswith(suffix) else name
    own_folder, file = os.path.split(path)

    def there(*names: str) -> str | None:
        return next((one for one in names if os.path.isfile(os.path.join(folder, one))), None)

    stem = os.path.splitext(name)[0]
    if name.lstrip().startswith(("#", "//", ";")):
        yield "lines that are comments, which a list cannot have", repr(name)
    first, *more = [part for part in re.split(r"[\s,;]+", name) if part] or [name]
    first = first.strip("\"'")
    tried = [first, first + suffix, os.path.basename(first), os.path.basename(first) + suffix]
    if more and there(*tried):
        yield "lines of several columns, where a list has one name a line", repr(name)
    if "\\" in name and (found := there(name.replace("\\", "/") + suffix)):
        yield "names with backslashes, where slashes separate directories", f"{name}, there is {found}"
    if name.strip("\"'") != name and there(name.strip("\"'") + suffix):
        yield "names in quotes, which belong to the name: leave them out", repr(name)
    if suffix and (found := there(name, stem + suffix)):
        what = f"names with a suffix, to which {setting}={suffix!r} is added: leave it out of the list"
        yield what, f"{name!r}, there is {found}"
    bare = os.path.basename(name)
    if bare != name and (found := there(bare + suffix, bare, os.path.splitext(bare)[0] + suffix)):
        yield (
            f"names with a directory, to which {folder} is added: leave it out of the list",
            f"{name!r}, there is {found}",
        )
    similar = listing.folded(own_folder).get(fold(file))
    if similar is not None:
        if unicodedata.normalize("NFC", file) != unicodedata.normalize("NFC", similar):
            yield "names that differ in upper and lower case", f"{file}, there is {similar}"
        else:
            form = next((f for f in ("NFC", "NFD") if unicodedata.normalize(f, file) == file), "another form")
            other = "NFD" if form == "NFC" else "NFC"
            yield (
                f"names in another Unicode form than the files, which look alike: {form} in the list, {other} on disk",
                f"{file!a}, there is {similar!a}",
            )
    stem = file[: len(file) - len(suffix)] if suffix and file.endswith(suffix) else file
    for one in listing.names(own_folder):
        ending = one[len(stem) :]
        if one.startswith(stem) and not ending[:1].isalnum() and ending.lower().endswith(PICTURES):
            yield f"names whose files do not end in {setting}={suffix!r}", f"{file}, there is {one}"
    for similar in difflib.get_close_matches(file, listing.names(own_folder)[:5000], 3, 0.8):
        if _numbers(similar) == _numbers(file):
            yield "names that are not quite those of files", f"{_shown(file)}, there is {_shown(similar)}"


def _numbers(name: str) -> list[int]:
    """The numbers in a name: another number is another file, and no slip."""
    return [int(digits) for digits in re.findall(r"[0-9]+", name)]
