from .class_pixel_sampler import ClassPixelSampler
from .patch_pixel_sampler import PatchPixelSampler

__all__ = ["ClassPixelSampler", "PatchPixelSampler"]
