from .linear_trunk import LinearTrunk
from .measurement import measure_alignment
from .picture import check_picture_name, draw_fields, grey_grid, middle_of, read_image
from .positions import MapAlignment
from .report import alignment_table, check_stated, geometry_setting, remarks, stated_maps, used_maps

__all__ = [
    "LinearTrunk",
    "MapAlignment",
    "alignment_table",
    "check_picture_name",
    "check_stated",
    "draw_fields",
    "geometry_setting",
    "grey_grid",
    "measure_alignment",
    "middle_of",
    "read_image",
    "remarks",
    "stated_maps",
    "used_maps",
]
