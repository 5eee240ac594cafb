"""Masks as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .annotated import AnnotatedSet


def read_masks(
    images: Path, masks: Path, *, pair: str | None, classes: Sequence[str] | None, ignore: Sequence
) -> AnnotatedSet:
    """Read masks; not built yet."""
    raise NotImplementedError
