from .boundary_iou_metric import BoundaryIoUMetric
from .confusion import confusion_matrix
from .fcn_metric import FCNMetric, FCNScores, fcn_scores

__all__ = ["BoundaryIoUMetric", "FCNMetric", "FCNScores", "confusion_matrix", "fcn_scores"]
