"""Texts of messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

LIKELY, CERTAIN = 0.75, 0.85  #: how alike a misspelt word and the right one are at least


def summarize(names: Sequence[str], most: int = 4) -> str:
    """The first few of a list, for a message: ``a, b, c, d and 3 more``; ``nothing`` if it is empty."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "nothing"


def first_line(error: Exception) -> str:
    """An error in one line; the name of its class if it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def nearest(word: str, known: Iterable[str], cutoff: float = LIKELY) -> str:
    """The end of a sentence: ``, did you mean 'lr'?``, or nothing if no known word is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f", did you mean {found[0]!r}?" if found else ""
