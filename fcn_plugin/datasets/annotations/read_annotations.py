"""Annotations of any form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .annotated import AnnotatedSet


def read_annotations(
    images: Path,
    masks: Path,
    *,
    pair: str | None = None,
    classes: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
) -> AnnotatedSet:
    """Read annotations."""
    raise NotImplementedError
