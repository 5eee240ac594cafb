from .bilinear_upsample import BilinearUpsample, bilinear_kernel
from .response_norm import ResponseNorm

__all__ = ["BilinearUpsample", "ResponseNorm", "bilinear_kernel"]
