from .side_by_side import class_ious, draw_row, draw_rows, iou_table, mean_iou

__all__ = ["class_ious", "draw_row", "draw_rows", "iou_table", "mean_iou"]
