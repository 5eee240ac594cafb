"""The config of a new data set."""

from __future__ import annotations

from .choices import Choices
from .facts import DatasetFacts


def config_files(facts: DatasetFacts, choices: Choices) -> dict[str, bytes | str]:
    """The files that make the config."""
    return {"config.py": f"classes = {tuple(facts.classes)!r}\n"}
