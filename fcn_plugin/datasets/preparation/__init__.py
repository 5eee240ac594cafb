from .prepare_camvid import check_camvid, prepare_camvid
from .prepare_voc import check_voc, prepare_voc

__all__ = ["check_camvid", "check_voc", "prepare_camvid", "prepare_voc"]
