"""What is chosen from the facts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .facts import DatasetFacts


@dataclass(frozen=True)
class Wishes:
    """What the user asks for."""

    backbone: str = "efficientnet_lite0"
    fast: bool = False
    sigmoid: bool = False
    weights: Path | None = None


@dataclass(frozen=True)
class Choices:
    """Settings with their reasons."""

    reasons: tuple[tuple[str, str, str], ...] = ()


def choose(facts: DatasetFacts, wishes: Wishes) -> Choices:
    """Choose settings."""
    return Choices((("backbone", wishes.backbone, "it is light"),))
