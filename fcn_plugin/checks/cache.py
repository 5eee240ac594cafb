"""Which files were found good before, so that they are not read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

FORMAT = 3  #: of the notes; raised when they, or what is checked, change
Stamp = tuple  # path, size and modification time of the image, then of the label


def stamp_of(sample: dict) -> Stamp | None:
    """What changes when the files of a sample change.

    Args:
        sample (dict): with ``img_path`` and, if it has a label, ``seg_map_path``.

    Returns:
        Stamp | None: None if a file is not there, or in another storage than the file system.
    """
    stamp: list = []
    for path in filter(None, (sample["img_path"], sample.get("seg_map_path"))):
        try:
            status = os.stat(path)
        except OSError:
            return None
        stamp += [os.path.abspath(path), status.st_size, status.st_mtime_ns]
    return tuple(stamp)


class CheckCache:
    """Notes on the good samples of one list, in ``$FCN_PLUGIN_CACHE``, by default ``~/.cache/fcn_plugin``.

    The data itself is not touched: it may be shared, or read-only. A cache that cannot be read or written is passed
    over; processes that write it at the same time leave one of their versions, complete.

    Args:
        source (str): names the list of samples.
        settings (str): on what the check depends besides the files; notes of another check are not used.
    """

    def __init__(self, source: str, settings: str) -> None:
        self.settings = f"{FORMAT} {settings}"
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        directory = os.environ.get("FCN_PLUGIN_CACHE") or os.path.join(home, "fcn_plugin")
        self.file = Path(directory, "checked", f"{hashlib.sha256(source.encode()).hexdigest()[:32]}.json")

    def load(self) -> dict[Stamp, list]:
        """The notes by stamp; none if there is no cache, or it is damaged."""
        try:
            content = json.loads(self.file.read_text())
            if content["settings"] == self.settings:
                return {tuple(stamp): note for stamp, note in content["good"]}
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return {}

    def save(self, notes: dict[Stamp, list]) -> None:
        """Replace the notes."""
        if not self.file.is_absolute():  # no home directory
            return
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self.file.parent)
            try:
                with open(descriptor, "w") as file:  # dumps is faster than dump
                    file.write(json.dumps(dict(settings=self.settings, good=list(notes.items()))))
                os.replace(temporary, self.file)
            except BaseException:
                os.unlink(temporary)
                raise
