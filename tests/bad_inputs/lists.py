"""Lists whose names are written in another way than those of the files, or that are no list."""

import unicodedata
from collections.abc import Callable

from .case import TRAIN, VAL, Bad, Folder


def rewrite(change: Callable[[str], str], encoding: str = "utf-8", path: str = TRAIN) -> Callable[[Folder], None]:
    """Write a list anew, in an encoding."""

    def prepare(folder: Folder) -> None:
        file = folder.data / path
        file.write_bytes(change(file.read_text()).encode(encoding))

    return prepare


def each(change: Callable[[str], str]) -> Callable[[Folder], None]:
    """Change each name of the list to train on."""
    return rewrite(lambda text: "".join(f"{change(name)}\n" for name in text.split()))


def renamed(old: str, new: str, in_list: str) -> Callable[[Folder], None]:
    """Give the files of a name another one, and list a third."""

    def prepare(folder: Folder) -> None:
        folder.image(old).rename(folder.image(new))
        folder.label(old).rename(folder.label(new))
        file = folder.data / TRAIN
        file.write_text(file.read_text().replace(old, in_list), encoding="utf-8")

    return prepare


def other_suffix(folder_name: str, old: str, new: str) -> Callable[[Folder], None]:
    """Give the files of a directory another suffix."""

    def prepare(folder: Folder) -> None:
        for file in (folder.data / folder_name).glob(f"train*{old}"):
            file.rename(file.with_name(file.name.removesuffix(old) + new))

    return prepare


def replaced_by_directory(folder: Folder) -> None:
    (folder.data / TRAIN).unlink()
    (folder.data / TRAIN).mkdir()


NFC, NFD = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
WHOSE = f"the list data/{TRAIN}"
TABLE = [
    Bad("bom", (WHOSE, "is UTF-8 with a byte order mark (BOM): save"), prepare=rewrite(str, "utf-8-sig")),
    Bad("utf-16", (WHOSE, "is UTF-16: save it as plain UTF-8"), prepare=rewrite(str, "utf-16")),
    Bad("utf-16-unmarked", (WHOSE, "is UTF-16 or no text at all"), prepare=rewrite(str, "utf-16-le")),
    Bad("utf-32", (WHOSE, "is UTF-32: save"), prepare=rewrite(str, "utf-32")),
    Bad(
        "latin-1",
        (WHOSE, "is no UTF-8 (byte 0xe9 in line 9), perhaps Latin-1"),
        prepare=rewrite(lambda text: f"{text}caf\u00e9\n", "latin-1"),
    ),
    Bad("utf-16-val", (f"the list data/{VAL}", "is UTF-16"), prepare=rewrite(str, "utf-16", VAL)),
    Bad("cr-alone", (WHOSE, "ends its lines with CR alone"), prepare=rewrite(lambda text: text.replace("\n", "\r"))),
    Bad(
        "empty-line",
        (WHOSE, "has empty lines, which are names of no file: delete line 2"),
        prepare=rewrite(lambda text: text.replace("\n", "\n  \n", 1)),
    ),
    Bad("empty-line-at-the-end", (WHOSE, "delete line 9"), prepare=rewrite(lambda text: f"{text}\n")),
    Bad(
        "suffix",
        (WHOSE, "names with a suffix, to which img_suffix='.jpg' is added", "'train_00000.jpg', there is train_00000"),
        prepare=each(lambda name: f"{name}.jpg"),
    ),
    Bad(
        "suffix-of-labels",
        ("names with a suffix, to which img_suffix='.jpg' is added", "'train_00000.png', there is train_00000.jpg"),
        prepare=each(lambda name: f"{name}.png"),
    ),
    Bad(
        "directory",
        ("names with a directory, to which data/JPEGImages is added", "'JPEGImages/train_00000'"),
        prepare=each(lambda name: f"JPEGImages/{name}"),
    ),
    Bad(
        "absolute",
        ("names with a directory, to which data/JPEGImages is added", "/elsewhere/train_00000.jpg"),
        prepare=each(lambda name: f"/elsewhere/{name}.jpg"),
    ),
    Bad(
        "two-columns",
        "lines of several columns, where a list has one name a line: 8 ('train_00000.jpg train_00000.png'",
        prepare=each(lambda name: f"{name}.jpg {name}.png"),
    ),
    Bad(
        "voc-columns",
        "lines of several columns",
        prepare=each(lambda name: f"/JPEGImages/{name}.jpg /SegmentationClass/{name}.png"),
    ),
    Bad("tabs", "lines of several columns", prepare=each(lambda name: f"{name}\t{name}")),
    Bad("csv", "lines of several columns", prepare=each(lambda name: f"{name},1")),
    Bad(
        "backslashes",
        ("names with backslashes", "there is ../JPEGImages/train_00000.jpg"),
        prepare=each(lambda name: f"..\\JPEGImages\\{name}"),
    ),
    Bad("quotes", "names in quotes", prepare=each(lambda name: f'"{name}"')),
    Bad(
        "comment",
        ("lines that are comments, which a list cannot have", "# drawn shapes"),
        prepare=rewrite(lambda text: f"# drawn shapes\n{text}"),
    ),
    Bad(
        "unicode-list-composed",
        ("another Unicode form", "NFC in the list, NFD on disk", r"'caf\xe9.jpg', there is 'cafe\u0301.jpg'"),
        prepare=renamed("train_00000", NFD, NFC),
    ),
    Bad(
        "unicode-list-decomposed",
        ("another Unicode form", "NFD in the list, NFC on disk"),
        prepare=renamed("train_00000", NFC, NFD),
    ),
    Bad(
        "case-of-names",
        ("names that differ in upper and lower case", "Train_00000.jpg, there is train_00000.jpg"),
        prepare=each(str.capitalize),
    ),
    Bad(
        "upper-case-suffix",
        ("names that differ in upper and lower case", "train_00000.jpg, there is train_00000.JPG"),
        prepare=other_suffix("JPEGImages", ".jpg", ".JPG"),
    ),
    Bad(
        "jpeg",
        ("names whose files do not end in img_suffix='.jpg': 8", "train_00000.jpg, there is train_00000.jpeg"),
        prepare=other_suffix("JPEGImages", ".jpg", ".jpeg"),
    ),
    Bad(
        "upper-case-suffix-of-labels",
        "train_00000.png, there is train_00000.PNG",
        prepare=other_suffix("SegmentationClass", ".png", ".PNG"),
    ),
    Bad(
        "labels-with-an-ending",
        ("do not end in seg_map_suffix='.png'", "train_00000.png, there is train_00000_mask.png"),
        prepare=other_suffix("SegmentationClass", ".png", "_mask.png"),
    ),
    Bad(
        "fewer-zeros",
        ("names that are not quite those of files", "train_0001.jpg, there is train_00001.jpg"),
        prepare=each(lambda name: name.replace("_0", "_")),
    ),
    Bad(
        "unseen-sign",
        ("names that are not quite those of files", r"'train_00000\u200b.jpg', there is train_00000.jpg"),
        prepare=each(lambda name: f"{name}\u200b"),
    ),
    Bad("empty", ("lists without a single image: 1", TRAIN), prepare=rewrite(lambda text: "")),
    Bad("blanks-alone", (WHOSE, "has empty lines"), prepare=rewrite(lambda text: "   \n")),
    Bad("missing", "train_dataloader needs data/gone.txt", options="train_dataloader.dataset.ann_file=gone.txt"),
    Bad(
        "missing-in-upper-case",
        "Segmentation/Train.txt, which does not exist (there is data/ImageSets/Segmentation/train.txt)",
        options="train_dataloader.dataset.ann_file=ImageSets/Segmentation/Train.txt",
    ),
    Bad(
        "directory-in-its-place",
        (WHOSE, "is a directory: give ann_file a file of names"),
        prepare=replaced_by_directory,
    ),
    Bad("no-such-name", ("names in a list that have neither", "ghost.jpg"), prepare=rewrite(lambda text: "ghost\n")),
]
