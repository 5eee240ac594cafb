from .coord_map import IMAGE, CoordMap
from .feature_extractor import UnknownGeometryError, read_feature_maps
from .feature_map import FeatureMap, recorded_maps
from .skip_steps import UpsampleStep, skip_steps, upsample_step

__all__ = [
    "IMAGE",
    "CoordMap",
    "FeatureMap",
    "UnknownGeometryError",
    "UpsampleStep",
    "skip_steps",
    "read_feature_maps",
    "recorded_maps",
    "upsample_step",
]
