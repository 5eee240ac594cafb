from .bilinear_upsample import BilinearUpsample, bilinear_kernel

__all__ = ["BilinearUpsample", "bilinear_kernel"]
