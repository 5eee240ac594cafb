"""JSON logs: one record a line, written line by line."""

from __future__ import annotations

import json
from pathlib import Path


def read_json_lines(path: str | Path) -> list[dict]:
    """Read a JSON log; a last line that a killed process left incomplete is passed over.

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
