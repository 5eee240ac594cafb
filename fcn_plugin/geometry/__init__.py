from .coord_map import IMAGE, CoordMap
from .skip_steps import UpsampleStep, bilinear_step, skip_steps, upsample_step

__all__ = ["IMAGE", "CoordMap", "UpsampleStep", "bilinear_step", "skip_steps", "upsample_step"]
