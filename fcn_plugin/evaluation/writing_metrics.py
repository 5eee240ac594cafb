"""The metrics of a config that can write predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmseg.registry import METRICS

from ..utils.building import settings_of
from ..utils.config import class_of


def writing_metrics(evaluator: Any, name: str) -> dict[str, Mapping]:
    """The settings of those metrics that can write predictions in place of figures, as the toolbox's can.

    Args:
        evaluator (Mapping | Sequence[Mapping]): of a config: a metric, several, or an Evaluator with its ``metrics``.
        name (str): of the setting.

    Returns:
        dict[str, Mapping]: by where they stand, such as ``test_evaluator.0``; they have or take ``output_dir`` and
        ``format_only``.
    """
    if isinstance(evaluator, Mapping) and "metrics" in evaluator:
        return writing_metrics(evaluator["metrics"], f"{name}.metrics")
    if isinstance(evaluator, (list, tuple)):
        found = (writing_metrics(one, f"{name}.{number}") for number, one in enumerate(evaluator))
        return {where: metric for metrics in found for where, metric in metrics.items()}
    kind = class_of(evaluator, METRICS) if isinstance(evaluator, Mapping) and evaluator.get("type") else None
    if not isinstance(kind, type) or not {"output_dir", "format_only"} <= settings_of(kind)[0]:
        return {}
    return {name: evaluator}


def writes_alone(evaluator: Any, name: str) -> bool:
    """Whether all metrics only write predictions, so that no labels are needed."""
    count = len(evaluator) if isinstance(evaluator, (list, tuple)) else 1
    metrics = writing_metrics(evaluator, name)
    return 0 < len(metrics) == count and all(metric.get("format_only") for metric in metrics.values())
