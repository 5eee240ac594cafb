"""The figures of each class, kept as numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from mmengine.dist import master_only
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop, Runner

CLASS_METRICS = "class_metrics.json"  #: in the directory of a session, beside its log


@HOOKS.register_module()
class ClassMetricsHook(Hook):
    """Append the tables of classes that the metrics of this package log to ``TIME/class_metrics.json``.

    One record a line for each validation and test, in percent, null for what is undefined: ``split``, ``step`` (the
    iterations done, 0 for a test), ``metrics`` (the means), ``classes`` and ``columns`` (a list for each figure).
    """

    priority = "LOW"

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the figures of a validation."""
        trains = isinstance(runner._train_loop, BaseLoop)  # runner.iter would build the loop
        self._append(runner, runner.val_loop.evaluator, "val", runner.iter if trains else 0, metrics or {})

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the figures of a test."""
        self._append(runner, runner.test_loop.evaluator, "test", 0, metrics or {})

    @master_only
    def _append(self, runner: Runner, evaluator: Evaluator, split: str, step: int, metrics: Mapping) -> None:
        tables = [metric for metric in evaluator.metrics if getattr(metric, "class_metrics", None)]
        if not tables:
            return
        means = {name: _number(value) for name, value in metrics.items()}
        columns = {name: column for metric in tables for name, column in metric.class_metrics.items()}
        values = {name: [_number(value) for value in column] for name, column in columns.items()}
        record = dict(split=split, step=step, metrics=means, classes=list(tables[0].dataset_meta["classes"]))
        line = json.dumps({**record, "columns": values}, allow_nan=False)
        with Path(runner.log_dir, CLASS_METRICS).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
