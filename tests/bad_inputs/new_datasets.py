"""Folders and options of which no new data set can be made."""

from .case import Bad, Folder

COMMAND = "new-dataset data/JPEGImages data/SegmentationClass --out "


def _other_contents(folder: Folder) -> None:
    (folder.path / "mine").mkdir()
    (folder.path / "mine/notes.txt").write_text("mine")


def _file(folder: Folder) -> None:
    (folder.path / "file").write_text("a file")


def row(name: str, says: str | tuple[str, ...], options: str = "", out: str = "new", **kwargs) -> Bad:
    return Bad(name, says, command=f"{COMMAND}{out} {options}", **kwargs)


TABLE = [
    row("out-has-others", "mine exists with other contents: remove it, or g", out="mine", prepare=_other_contents),
    row("out-is-a-file", "file is a file: give a directory that does not exist", out="file", prepare=_file),
    row("out-below-a-file", "file cannot be written: ", out="file/new", prepare=_file),
    row("out-no-file-system", "/proc cannot be written: ", out="/proc/new"),
    row("out-inside-images", "data/JPEGImages/new and data/JPEGImages are inside each", out="data/JPEGImages/new"),
    row("images-inside-out", "--out data and data/JPEGImages are inside each other: give a directory els", out="data"),
    row("no-share", "--val and --test are shares of the pictures, such as 0.2, and leave some, got 1.5", "--val 1.5"),
    row("nothing-left", "and leave some, got 0.5, 0.5", "--val 0.5 --test 0.5"),
    row("seed", "the seed must be >= 0, got -1", "--seed -1"),
    row("group-expression", "--group-by '(a' is no regular expression: missing )", "--group-by (a"),
]
