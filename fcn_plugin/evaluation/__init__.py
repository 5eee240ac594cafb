from .fcn_metric import FCNMetric, FCNScores, fcn_scores
from .oracle import find_labels, oracle_prediction, oracle_scores
from .side_by_side import class_ious, draw_row, draw_rows, iou_table, mean_iou

__all__ = [
    "FCNMetric",
    "FCNScores",
    "class_ious",
    "draw_row",
    "draw_rows",
    "fcn_scores",
    "find_labels",
    "iou_table",
    "mean_iou",
    "oracle_prediction",
    "oracle_scores",
]
