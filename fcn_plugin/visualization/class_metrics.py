"""The figures of each class that a training or a test left, as the ClassMetricsHook writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..engine.hooks.class_metrics_hook import CLASS_METRICS
from .run_log import RunLog, merge_sessions, read_json_lines, session_dirs


@dataclass(frozen=True)
class ClassMetrics:
    """One evaluation, in percent; None for what is undefined.

    Attributes:
        split: ``val`` or ``test``.
        step: iterations of the training when it was done, 0 if not known.
        metrics: the means: ``mIoU``, ``aAcc``, ...
        classes: names of the classes.
        columns: by figure (``IoU``, ``Acc``), that of each class.
    """

    split: str
    step: int
    metrics: dict[str, float | None]
    classes: list[str]
    columns: dict[str, list[float | None]]


def last_validation(run: RunLog) -> ClassMetrics | None:
    """The last validation of a training, None if there was none."""
    found = merge_sessions([_records(session, "val") for session in run.sessions])
    return ClassMetrics(**found[-1]) if found else None


def last_test(work_dir: Path) -> ClassMetrics | None:
    """The last test in a work directory, None if there was none."""
    found = [record for session in session_dirs(work_dir) for record in _records(session, "test")]
    return ClassMetrics(**found[-1]) if found else None


def _records(session: Path, split: str) -> list[dict]:
    path = session / CLASS_METRICS
    return [record for record in read_json_lines(path) if record["split"] == split] if path.is_file() else []


#: Means in the order in which they are shown, behind the figures of a foreground.
USUAL = ("IoU", "Dice", "Precision", "Recall", "mIoU", "aAcc", "mAcc", "fwIoU")


def ordered_means(metrics: dict[str, float | None], first: Sequence[str] = USUAL) -> dict:
    """The means, the usual ones first."""
    return {name: metrics[name] for name in (*first, *metrics) if name in metrics}
