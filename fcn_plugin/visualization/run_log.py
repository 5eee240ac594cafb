"""What a training logged: the records of all its sessions, also of several stages, in order."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np
from mmengine.config import Config

SCALARS = Path("vis_data", "scalars.json")  #: of a session, written by the toolbox's LocalVisBackend
CONFIG = Path("vis_data", "config.py")  #: of a session, likewise
TIMESTAMP = re.compile(r"\d{8}_\d{6}")  #: name of a session's directory


@dataclass(frozen=True)
class RunLog:
    """The log of one training, which may have been interrupted and continued.

    Attributes:
        work_dir: its work directory.
        sessions: the directory of each start that logged an iteration, first to last.
        records: all records in the order of their ``step``, the number of iterations done.
    """

    work_dir: Path
    sessions: list[Path]
    records: list[dict]

    @cached_property
    def cfg(self) -> Config:
        """The config of the last session."""
        return read_dumped_config(self.sessions[-1] / CONFIG)

    @property
    def name(self) -> str:
        """Name of its config: that of the newest copy in the work directory."""
        copies = sorted(self.work_dir.glob("*.py"), key=lambda file: file.stat().st_mtime)
        return copies[-1].stem if copies else self.work_dir.name

    @property
    def earlier_stage(self) -> str | None:
        """Name of the stage that this training got its weights from, if it did."""
        earlier = Path(self.cfg.get("earlier_stage") or "").stem
        start = Path(read_dumped_config(self.sessions[0] / CONFIG).get("load_from") or "")
        return earlier if earlier and start.parent.name == earlier else None

    @property
    def iterations(self) -> int:
        """Iterations behind the last record."""
        return self.records[-1]["step"]

    @property
    def max_iters(self) -> int | None:
        """Iterations of the whole training, as its config has it."""
        return self.cfg.get("train_cfg", {}).get("max_iters")

    def series(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps, int64 (n,), and values, float64 (n,), of the records that have a key."""
        found = [(record["step"], record[key]) for record in self.records if key in record]
        steps, values = zip(*found) if found else ((), ())
        return np.array(steps, np.int64), np.array(values, np.float64)


def read_json_lines(path: str | Path) -> list[dict]:
    """Read a log of one JSON record a line; a last line that a killed process left incomplete is passed over.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the line, if another line is not a record.
    """
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            record = None
        if isinstance(record, dict):
            records.append(record)
        elif number < len(lines):
            raise ValueError(f"line {number} of {path} is no JSON record: the file is damaged")
    return records


def read_dumped_config(path: Path) -> Config:
    """Read a config that a run left, without importing what it names.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not valid Python.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}, the config that a training leaves beside its log")
    try:
        return Config.fromfile(path, import_custom_modules=False)
    except SyntaxError as error:
        raise ValueError(f"{path} is not valid Python: {error}") from error


def count_iterations(sessions: Sequence[list[dict]]) -> list[list[dict]]:
    """Place the validations of a training by the iterations done, where the toolbox's LoggerHook counts epochs.

    It does so unless ``log_metric_by_epoch`` is false: then a validation has a lower ``step`` than the iteration that
    was logged before it.

    Args:
        sessions (Sequence[list[dict]]): records as logged, first to last.

    Returns:
        list[list[dict]]: the same records with iterations as ``step``.
    """
    length = _iterations_of_an_epoch([record for records in sessions for record in records if "loss" in record])
    before = [list(accumulate((r["step"] if "loss" in r else 0 for r in records), max)) for records in sessions]
    pairs = [list(zip(records, last)) for records, last in zip(sessions, before)]
    if not any(record["step"] < last for session in pairs for record, last in session if "loss" not in record):
        return list(sessions)
    return [
        [r if "loss" in r else {**r, "step": max(last, round(r["step"] * length))} for r, last in session]
        for session in pairs
    ]


def _iterations_of_an_epoch(records: Sequence[dict]) -> float:
    """Iterations from one epoch's first record to the next one's; 0 if there is but one epoch, or none is noted."""
    first: dict[int, int] = {}
    for record in records:
        if "epoch" in record:
            first.setdefault(record["epoch"], record["step"])
    if len(first) < 2:
        return 0
    return (first[max(first)] - first[min(first)]) / (max(first) - min(first))


def merge_sessions(sessions: Sequence[list[dict]]) -> list[dict]:
    """Put the records of sessions, first to last, together; iterations done again count as they were the last time."""
    merged: list[dict] = []
    for records in sessions:
        if records:
            merged = [record for record in merged if record["step"] < records[0]["step"]] + records
    return merged


def session_dirs(work_dir: Path) -> list[Path]:
    """The directories of all starts in a work directory, of training and of testing, first to last."""
    return sorted(path for path in work_dir.iterdir() if path.is_dir() and TIMESTAMP.fullmatch(path.name))


def read_run(work_dir: str | Path) -> RunLog:
    """Read the log of a training.

    Raises:
        FileNotFoundError: if there is no such directory, or nothing was logged in it.
        ValueError: if a log is damaged.
    """
    work_dir = Path(work_dir).resolve()
    if not work_dir.is_dir():
        raise FileNotFoundError(f"there is no work directory {work_dir}")
    logs = {path: read_json_lines(path / SCALARS) for path in session_dirs(work_dir) if (path / SCALARS).is_file()}
    logs = {path: records for path, records in logs.items() if any("loss" in record for record in records)}
    if not logs:
        raise FileNotFoundError(
            f"{work_dir} has no log of a training (TIME/{SCALARS}): give the work directory of tools/train.py, whose"
            " visualizer.vis_backends must have the LocalVisBackend"
        )
    return RunLog(work_dir, list(logs), merge_sessions(count_iterations(list(logs.values()))))


def read_stages(work_dir: str | Path) -> list[RunLog]:
    """Read the logs of a training and of the stages that it got its weights from, first to last.

    Earlier stages are looked for where :func:`fcn_plugin.engine.stages.plan_stages` puts them. Those whose logs are not
    there are left out.

    Raises:
        FileNotFoundError, ValueError: as :func:`read_run`, for the last stage.
    """
    stages = [read_run(work_dir)]
    last = stages[0]
    parent = last.work_dir.parent if last.work_dir.name == last.name else last.work_dir
    while earlier := stages[0].earlier_stage:
        try:
            stages.insert(0, read_run(parent / earlier))
        except FileNotFoundError:
            break
    return stages


def stage_offsets(stages: Sequence[RunLog]) -> list[int]:
    """How many iterations lie before each stage, if those of all stages are counted on."""
    lengths = [max(stage.iterations, stage.max_iters or 0) for stage in stages[:-1]]
    return list(accumulate(lengths, initial=0))
