"""What image libraries print while they decode: they go on with a damaged file, and name no file."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from typing import TextIO

#: Messages after which pixels are wrong. Bytes between the parts of a header, as some cameras write them, do no harm.
DAMAGE = re.compile(
    r"(?:Corrupt JPEG data(?!: \d+ extraneous bytes before marker 0x(?:db|e.|fe))|Premature end of JPEG|"
    r"Inconsistent progression sequence|TIFF_Error |libpng error: ).*"
)


class DecoderMessages:
    """Catches what libraries written in C print to the process's stderr, from all threads, without any cost.

    They print at once, so a message of the only picture that is being read lies behind the :meth:`position` before it.
    What does not tell of damage is printed at the end.

    Attributes:
        terminal: the process's stderr as it was, to write to meanwhile.
    """

    def __init__(self) -> None:
        self.terminal: TextIO = sys.stderr
        self._file = self._stderr = None

    def __enter__(self) -> DecoderMessages:
        try:
            self._stderr = os.dup(2)
            self._file = tempfile.TemporaryFile()
        except OSError:  # no stderr, or no place for what it gets: nothing is caught
            return self
        if sys.stderr is sys.__stderr__:
            sys.stderr.flush()
            self.terminal = os.fdopen(os.dup(self._stderr), "w")
        os.dup2(self._file.fileno(), 2)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            text = self.since(0)
            os.dup2(self._stderr, 2)
            self._file.close()
            rest = [line for line in text.splitlines(keepends=True) if not DAMAGE.search(line)]
            os.write(2, "".join(rest).encode())
        if self._stderr is not None:
            os.close(self._stderr)
        if self.terminal is not sys.stderr:
            self.terminal.close()

    def position(self) -> int:
        """How much has been printed, in bytes."""
        return os.fstat(self._file.fileno()).st_size if self._file else 0

    def since(self, position: int) -> str:
        """What has been printed since a position."""
        length = self.position() - position
        return os.pread(self._file.fileno(), length, position).decode(errors="replace") if length else ""


def damage_in(text: str) -> str | None:
    """The first message that tells of damage."""
    found = DAMAGE.search(text)
    return found and found[0].strip()
