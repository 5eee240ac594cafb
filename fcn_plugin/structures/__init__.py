from .image_features import ImageFeatures

__all__ = ["ImageFeatures"]
