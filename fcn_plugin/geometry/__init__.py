from .coord_map import IMAGE, CoordMap
from .feature_map import FeatureMap
from .skip_steps import UpsampleStep, skip_steps, upsample_step
from .trunk import UnknownGeometryError, trunk_maps

__all__ = [
    "IMAGE",
    "CoordMap",
    "FeatureMap",
    "UnknownGeometryError",
    "UpsampleStep",
    "skip_steps",
    "trunk_maps",
    "upsample_step",
]
