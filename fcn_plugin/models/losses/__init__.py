from .pixel_cross_entropy import PixelCrossEntropyLoss

__all__ = ["PixelCrossEntropyLoss"]
