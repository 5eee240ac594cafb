from .class_metrics import ClassMetrics, last_test, last_validation
from .comparison import Comparison, compare, write_comparison
from .confusion import confusion_matrix, draw_confusion, write_confusion
from .curves import draw_curves, running_median
from .evaluation_set import EvaluationSet
from .report import write_report
from .run_log import RunLog, read_run, read_stages, stage_offsets

__all__ = [
    "ClassMetrics",
    "Comparison",
    "EvaluationSet",
    "RunLog",
    "compare",
    "confusion_matrix",
    "draw_confusion",
    "draw_curves",
    "last_test",
    "last_validation",
    "read_run",
    "read_stages",
    "running_median",
    "stage_offsets",
    "write_comparison",
    "write_confusion",
    "write_report",
]
