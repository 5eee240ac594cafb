"""The figures of each class that a training or a test left, as numbers or, from before, as a table in the log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..engine.hooks.class_metrics_hook import CLASS_METRICS
from .json_lines import read_json_lines
from .run_log import RunLog, merge_sessions, session_dirs

#: The toolbox's table, possibly a warning below it, and the line with the means.
TABLE = re.compile(r"((?:^[+|].*\n){4,})(?:(?![+|]).*\n)*?.* Iter\((val|test)\) \[[^\]]*\](.*)", re.M)
MEAN = re.compile(r"(\w+): (-?[\d.]+|nan)")
TIMES = ("data_time", "time", "memory")


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
    numbers = merge_sessions([_numbers(session, "val") for session in run.sessions])
    if numbers:
        return ClassMetrics(**numbers[-1])
    steps, _ = run.series("mIoU")
    tables = [table for session in run.sessions for table in read_tables(session) if table.split == "val"]
    return ClassMetrics(**{**vars(tables[-1]), "step": int(steps[-1])}) if tables and len(steps) else None


def last_test(work_dir: Path) -> ClassMetrics | None:
    """The last test in a work directory, None if there was none."""
    for session in reversed(session_dirs(work_dir)):
        found = [ClassMetrics(**record) for record in _numbers(session, "test")]
        found = found or [table for table in read_tables(session) if table.split == "test"]
        if found:
            return found[-1]
    return None


def _numbers(session: Path, split: str) -> list[dict]:
    path = session / CLASS_METRICS
    records = read_json_lines(path) if path.is_file() else []
    return [record for record in records if record["split"] == split]


def read_tables(session: Path) -> list[ClassMetrics]:
    """Read the tables of the classes in the text log of a session, rounded as they are there."""
    tables = []
    for log in sorted(session.glob("*.log")):
        for table, split, line in TABLE.findall(log.read_text(encoding="utf-8", errors="replace")):
            means = {name: _number(value) for name, value in MEAN.findall(line) if name not in TIMES}
            rows = [row for row in table.splitlines() if row.startswith("|")]
            figures = [name.strip() for name in rows[0].strip("|").split("|")[1:]]
            # a name may have a | in it, a figure has not
            cells = [row[1:].rstrip().removesuffix("|").rsplit("|", len(figures)) for row in rows[1:]]
            columns = {name: [_number(row[i].strip()) for row in cells] for i, name in enumerate(figures, start=1)}
            tables.append(ClassMetrics(split, 0, means, [row[0].strip() for row in cells], columns))
    return tables


def _number(text: str) -> float | None:
    return None if text == "nan" else float(text)


def ordered_means(metrics: dict[str, float | None], first: Sequence[str] = ("mIoU", "aAcc", "mAcc", "fwIoU")) -> dict:
    """The means, the usual ones first."""
    return {name: metrics[name] for name in (*first, *metrics) if name in metrics}
