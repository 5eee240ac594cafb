"""Texts of messages."""

from __future__ import annotations

from collections.abc import Sequence


def summarize(names: Sequence[str], most: int = 4) -> str:
    """The first few of a list, for a message: ``a, b, c, d and 3 more``; ``nothing`` if it is empty."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "nothing"


def first_line(error: Exception) -> str:
    """An error in one line; the name of its class if it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
