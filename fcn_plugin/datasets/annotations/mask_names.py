"""Names of classes in a text file beside masks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .pairing_files import PICTURES

FILES = re.compile(r"(class|label)[\w-]*\.(txt|csv)", re.IGNORECASE)  #: classes.txt, class_dict.csv, label_colors.txt
LARGEST = 1 << 16  #: bytes of such a file
LINE = (  # a name and a colour, in either order, between spaces, commas or tabs
    re.compile(r"(?P<name>\D.*?)[\s,;:]+(?P<r>\d+)[\s,;]+(?P<g>\d+)[\s,;]+(?P<b>\d+)"),
    re.compile(r"(?P<r>\d+)[\s,;]+(?P<g>\d+)[\s,;]+(?P<b>\d+)[\s,;:]+(?P<name>\D.*)"),
)


@dataclass(frozen=True)
class KnownNames:
    """Names of classes.

    Attributes:
        path: the file that has them.
        names: by index.
        colours: by index, 0xRRGGBB, if the file has them.
    """

    path: Path
    names: tuple[str, ...]
    colours: tuple[int, ...] = ()

    def of(self, codes: Sequence[int], in_colours: bool) -> list[str] | None:
        """Different names of the values of masks, colours or indices; None if one has none."""
        if in_colours:
            known = dict(zip(self.colours, self.names))
        else:
            known = dict(enumerate(self.names) if max(codes) < len(self.names) else zip(codes, self.names))
            if len(known) < len(self.names):  # of other values
                return None
        names = [known[code] for code in codes if code in known]
        return names if len(names) == len(codes) == len({name.casefold() for name in names}) else None


def find_names(folders: Sequence[Path]) -> list[KnownNames]:
    """Read the files of names in some folders: one name a line, or a name and a colour, as in ``class_dict.csv``."""
    found = []
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if FILES.fullmatch(path.name) and path.is_file() and path.stat().st_size <= LARGEST:
                known = _read(path)
                found += [known] if known else []
    return found


def _read(path: Path) -> KnownNames | None:
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    matches = [next((one for form in LINE if (one := form.fullmatch(line))), None) for line in lines]
    if lines and not matches[0] and all(matches[1:]) and len(lines) > 1:  # a heading
        lines, matches = lines[1:], matches[1:]
    if matches and all(matches):
        bands = [[int(one[band]) for band in "rgb"] for one in matches]
        if max(map(max, bands)) <= 255:
            colours = tuple(red << 16 | green << 8 | blue for red, green, blue in bands)
            return KnownNames(path, tuple(one["name"].strip() for one in matches), colours)
    if any(matches) or any("," in line or "\t" in line or Path(line).suffix.lower() in PICTURES for line in lines):
        return None  # a table, or a list of files
    return KnownNames(path, tuple(lines))
